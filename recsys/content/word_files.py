"""Files of pre-trained word vectors: GloVe and word2vec text, word2vec binary, fastText, npy beside a list of words.

Only the words that are asked for, and the first of the file, are kept in memory; except for fastText, which gensim
reads whole.
"""

import gzip
import importlib
import importlib.util
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recsys.data.arrays import Floats
from recsys.errors import ConfigError, DataError
from recsys.extras import install
from recsys.progress import Progress, silent

Format = Literal["auto", "text", "binary", "fasttext", "npy"]

_FASTTEXT_MAGIC = (793712314).to_bytes(4, "little")
_LONGEST = 1 << 20  # bytes of a line, or of a vector
_STAGE = "encode: words, file"
_ROWS_PER_REPORT = 1 << 16

Row = tuple[str, bytes, Any]
"""The place in the file in words, the word, and its vector in the form of the file."""


@dataclass(frozen=True, eq=False)
class WordVectors:
    """`words`, in the order of the file, and their `vectors`: float32 (n_words, d), finite."""

    words: tuple[str, ...]
    vectors: Floats


@dataclass(frozen=True)
class WordFile:
    """Where word vectors lie. `words`: the list of words beside an npy file: Parquet, or text with one per line."""

    path: Path
    words: Path | None = None
    format: Format = "auto"

    def read(self, wanted: Set[str], *, first: int, progress: Progress = silent) -> WordVectors:
        """The vectors of the words of `wanted` that the file has, and of the `first` words of the file.

        A fastText file also makes vectors of unknown words, from their n-grams.
        Raises ConfigError if a file is missing; DataError, with the place, if it is damaged or not of its format.
        """
        for path in (self.path, self.words):
            if path is not None and not path.is_file():
                raise ConfigError(f"{path}: no such file; expected one of word vectors or their words")
        try:
            kind = _kind(self.path) if self.format == "auto" else self.format
            if kind == "fasttext":
                return _read_fasttext(self.path, wanted, first)
            rows = _npy_rows(self.path, self.words) if kind == "npy" else _ROWS[kind](self.path)
            return _kept(self.path, rows, wanted, first=first, progress=progress)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{self.path}: cannot be read: {error}") from error


def _kept(path: Path, rows: Iterator[Row], wanted: Set[str], *, first: int, progress: Progress) -> WordVectors:
    """The rows to keep. A word that comes again keeps its first vector."""
    asked, found = {word.encode("utf-8", "replace") for word in wanted}, dict[bytes, Floats]()
    for number, (place, word, values) in enumerate(rows):
        if number % _ROWS_PER_REPORT == 0:
            progress(_STAGE, number, None)
        if (number < first or word in asked) and word not in found:
            found[word] = _vector(values, place, word)
    if len({len(vector) for vector in found.values()}) > 1:
        raise DataError(f"{path}: its vectors have different numbers of dimensions")
    words = tuple(_decoded(word, path) for word in found)
    return WordVectors(words, np.array(list(found.values()), np.float32).reshape(len(words), -1))


def _vector(values: Any, place: str, word: bytes) -> Floats:
    shown = word.decode("utf-8", "replace")
    try:
        vector = np.array([float(value) for value in values], np.float32) if isinstance(values, list) else values
    except ValueError as error:
        raise DataError(f"{place}: {shown!r}: {error}; expected numbers") from error
    if not np.isfinite(vector).all():
        raise DataError(f"{place}: {shown!r} has NaN or infinity in its vector")
    return np.asarray(vector, np.float32)


def _decoded(word: bytes, path: Path) -> str:
    try:
        return word.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: the word {word[:40]!r} is not UTF-8") from error


def _kind(path: Path) -> Format:
    if path.suffix == ".npy":
        return "npy"
    with _opened(path) as file:
        if file.read(4) == _FASTTEXT_MAGIC:
            return "fasttext"
    return "binary" if ".bin" in path.suffixes else "text"


def _opened(path: Path) -> BufferedReader | gzip.GzipFile:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def _header(line: bytes) -> tuple[int, int] | None:
    """(n_words, d) if `line` is the first of word2vec's formats, else None."""
    match = re.fullmatch(rb"(\d{1,10})[ \t](\d{1,6})[ \t]*\r?\n", line)
    return (int(match[1]), int(match[2])) if match else None


def _text_rows(path: Path) -> Iterator[Row]:
    """A line per word; word2vec's form begins with a line of two numbers, GloVe's has none.

    A word of GloVe may hold spaces: the vector is what is last in the line.
    """
    with _opened(path) as file:
        line, number = file.readline(_LONGEST), 1
        header = _header(line)
        d = header[1] if header else len(line.split()) - 1
        if d < 1:
            raise DataError(f"{path}, line 1: {line[:60]!r}, expected a word and its vector, in UTF-8")
        if header:
            line, number = file.readline(_LONGEST), 2
        last = header[0] + 1 if header else None
        while line and (last is None or number <= last):
            place = f"{path}, line {number}"
            parts = (
                line.rstrip().rsplit(b" ", d) if b"\t" not in line else line.split(b"\t", 1)[:1] + line.split()[1:]
            )
            if len(parts) != d + 1 or (len(line) == _LONGEST):
                raise DataError(f"{place}: {len(parts) - 1} numbers, expected a word and {d}")
            yield place, parts[0], parts[1:]
            line, number = file.readline(_LONGEST), number + 1
        if last is not None and number <= last:
            raise DataError(f"{path}: ends after {number - 2} words, expected {last - 1}")


def _binary_rows(path: Path) -> Iterator[Row]:
    """word2vec's binary form: a line of n and d; then a word, a space, and d float32 each."""
    with _opened(path) as file:
        line = file.readline(_LONGEST)
        header = _header(line)
        if header is None or not 0 < 4 * header[1] <= _LONGEST:
            raise DataError(f"{path}: begins with {line[:40]!r}, expected two numbers: how many words and dimensions")
        n_words, size, buffer, at = header[0], 4 * header[1], b"", 0
        for number in range(1, n_words + 1):
            while (end := buffer.find(b" ", at)) < 0 or len(buffer) < end + 1 + size:
                more = file.read(_LONGEST)
                if not more or (end < 0 and len(buffer) - at > _LONGEST):
                    raise DataError(f"{path}: ends or is damaged within word {number} of {n_words}")
                buffer, at = buffer[at:] + more, 0
            values = np.frombuffer(buffer, "<f4", header[1], end + 1)
            yield f"{path}, word {number}", buffer[at:end].lstrip(b"\r\n"), values
            at = end + 1 + size


_ROWS: Mapping[str, Callable[[Path], Iterator[Row]]] = {"text": _text_rows, "binary": _binary_rows}


def _npy_rows(path: Path, words: Path | None) -> Iterator[Row]:
    if words is None:
        raise ConfigError(f"{path}: an npy file holds no words; set `words` to a file with one per row")
    try:
        vectors = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))  # a plain view: faster rows
    except (ValueError, EOFError) as error:
        raise DataError(f"{path}: not an npy file: {error}") from error
    if vectors.ndim != 2 or vectors.dtype.kind != "f":
        raise DataError(f"{path}: {vectors.dtype} {vectors.shape}, expected floating-point numbers (n_words, d)")
    listed = _listed(words)
    if len(listed) != len(vectors):
        raise DataError(f"{words}: {len(listed)} words, but {path} has {len(vectors)} rows")
    for row, word in enumerate(listed):
        yield f"{path}, row {row}", word.encode("utf-8", "replace"), vectors[row]


def _listed(path: Path) -> list[str]:
    try:
        if path.suffix != ".parquet":
            return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
        schema = pq.read_schema(path)
        texts = [field.name for field in schema if pa.types.is_string(field.type)]
        if len(texts) != 1:
            raise DataError(f"{path}: columns {', '.join(schema.names)}, expected exactly one of strings")
        return [word or "" for word in pq.read_table(path, columns=texts).column(0).to_pylist()]
    except (UnicodeDecodeError, pa.ArrowException) as error:
        raise DataError(f"{path}: expected words as UTF-8 text or Parquet: {error}") from error


def _read_fasttext(path: Path, wanted: Set[str], first: int) -> WordVectors:
    if importlib.util.find_spec("gensim") is None:
        raise ConfigError(f"{path}: a fastText model needs gensim; {install('text')}")
    try:
        model = importlib.import_module("gensim.models.fasttext").load_facebook_vectors(str(path))
    except Exception as error:  # gensim raises what its parser happens to meet: AssertionError, struct.error ...
        raise DataError(f"{path}: gensim cannot read this fastText model: {type(error).__name__} {error}") from error
    known = model.key_to_index
    words = list(dict.fromkeys([*model.index_to_key[:first], *sorted(word for word in wanted if word in known)]))
    words += [word for word in sorted(wanted) if word not in known and word.lower() not in known]
    found = {word: _vector(model[word], str(path), word.encode()) for word in words if word in model}
    return WordVectors(tuple(found), np.array(list(found.values()), np.float32).reshape(len(found), -1))
