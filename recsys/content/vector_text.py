"""word2vec and GloVe text, and word2vec's binary form, with items in the place of words."""

import gzip
import re
from collections import Counter
from collections.abc import Iterator
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from recsys.content.vector_chunks import Chunk, ReadRows, VectorFile, rows_of
from recsys.data.arrays import Floats, Indices
from recsys.errors import DataError

_ROWS_AT_ONCE = 8192
_LONGEST = 1 << 20  # bytes of a line, or of an id with its vector
_HEADER = re.compile(rb"(\d{1,10})[ \t]+(\d{1,6})\s*")


def text_file(path: Path) -> VectorFile:
    """A line per item: its id, then numbers. A first line of two whole numbers is word2vec's: how many, and d."""
    with _opened(path) as file:
        lines = list(islice(_lines(file, path), _ROWS_AT_ONCE))
    header = _HEADER.fullmatch(lines[0]) if lines else None
    if header:
        return VectorFile(int(header[2]), lambda: _text_chunks(path, int(header[2]), int(header[1])))
    lengths = Counter(len(line.split()) - 1 for line in lines)
    dimension = lengths.most_common(1)[0][0] if lengths else 0
    if dimension < 1:
        raise DataError(f"{path}: begins with {(lines or [b''])[0][:60]!r}, expected an id and its vector per line")
    return VectorFile(dimension, lambda: _text_chunks(path, dimension, None))


def _text_chunks(path: Path, dimension: int, n_told: int | None) -> Iterator[Chunk]:
    with _opened(path) as file:
        lines = _lines(file, path)
        if n_told is not None:
            next(lines)
        n_read = 0
        while part := list(islice(lines, _ROWS_AT_ONCE)):
            n_read += len(part)
            rows = [_parts(line, dimension) for line in part]
            ids = [row[0].decode("utf-8", "replace") for row in rows]
            yield Chunk(pa.array(ids, pa.string()), _text_reader(rows, dimension))
    if n_told is not None and n_read != n_told:
        raise DataError(f"{path}: {n_read} vectors, but its first line says {n_told}")


def _lines(file: Any, path: Path) -> Iterator[bytes]:
    """Lines that are not empty. Raises DataError for one that is too long to be a vector."""
    while line := file.readline(_LONGEST):
        if len(line) == _LONGEST:
            raise DataError(f"{path}: a line has more than {_LONGEST} bytes; expected an id and its vector per line")
        if line.strip():
            yield line


def _parts(line: bytes, dimension: int) -> list[bytes]:
    """Id and numbers. An id may hold spaces, unless what follows the first looks like a number."""
    parts = line.split()
    if len(parts) > dimension + 1 and not _is_number(parts[1]):
        return line.rstrip().rsplit(None, dimension)
    return parts


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _text_reader(rows: list[list[bytes]], dimension: int) -> ReadRows:
    def read(wanted: Indices) -> tuple[Floats, dict[int, str]]:
        vectors, faults = np.zeros((len(wanted), dimension), np.float32), dict[int, str]()
        for at, row in enumerate(wanted.tolist()):
            numbers = rows[row][1:]
            if len(numbers) != dimension:
                faults[at] = f"{len(numbers)} numbers, expected {dimension}"
                continue
            try:
                vectors[at] = [float(number) for number in numbers]
            except ValueError as error:
                faults[at] = str(error)
        return vectors, faults

    return read


def binary_file(path: Path) -> VectorFile:
    """word2vec's binary form: a line of n and d; then an id, a space and d float32 each."""
    with _opened(path) as file:
        line = file.readline(_LONGEST)
    header = _HEADER.fullmatch(line)
    if header is None or not 0 < 4 * int(header[2]) <= _LONGEST:
        raise DataError(f"{path}: begins with {line[:40]!r}, expected two numbers: how many vectors and dimensions")
    return VectorFile(int(header[2]), lambda: _binary_chunks(path, int(header[1]), int(header[2])))


def _binary_chunks(path: Path, n_told: int, dimension: int) -> Iterator[Chunk]:
    with _opened(path) as file:
        file.readline(_LONGEST)
        rows = _binary_rows(file, path, n_told, 4 * dimension)
        while part := list(islice(rows, _ROWS_AT_ONCE)):
            ids, values = zip(*part, strict=True)
            vectors = np.frombuffer(b"".join(values), "<f4").reshape(-1, dimension)
            texts = [each.decode("utf-8", "replace") for each in ids]
            yield Chunk(pa.array(texts, pa.string()), rows_of(vectors))


def _binary_rows(file: Any, path: Path, n_told: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    buffer, at = b"", 0
    for number in range(1, n_told + 1):
        while (end := buffer.find(b" ", at)) < 0 or len(buffer) < end + 1 + size:
            more = file.read(_LONGEST)
            if not more or (end < 0 and len(buffer) - at > _LONGEST):
                raise DataError(f"{path}: ends or is damaged within vector {number} of {n_told}")
            buffer, at = buffer[at:] + more, 0
        yield buffer[at:end].lstrip(b"\r\n"), buffer[end + 1 : end + 1 + size]
        at = end + 1 + size


def _opened(path: Path) -> BufferedReader | gzip.GzipFile:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")
