"""Files of vectors keyed by item: npy beside ids, Parquet and Arrow, word2vec and GloVe text, word2vec binary.

A file is read in chunks, and of each only the rows that are asked for are parsed.
"""

import importlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.content.vector_chunks import Chunk, ReadRows, VectorFile, rows_of
from recsys.content.vector_text import binary_file, text_file
from recsys.data.arrays import Floats, Indices
from recsys.errors import ConfigError, DataError
from recsys.suggestions import nearest_name

Format = Literal["auto", "npy", "parquet", "arrow", "text", "binary"]

_BY_SUFFIX: Mapping[str, Format] = {
    ".npy": "npy",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".bin": "binary",
}
_ROWS_AT_ONCE = 8192


@dataclass(frozen=True)
class Place:
    """Where vectors lie. `ids`: the file of ids beside an npy file. `id`, `vector`: columns of Parquet and Arrow."""

    path: Path
    ids: Path | None = None
    id: str = "id"
    vector: str = "vector"
    format: Format = "auto"


def open_vectors(place: Place) -> VectorFile:
    """The file of `place`. Raises ConfigError or DataError if it is missing, damaged, or of another format."""
    kind = _BY_SUFFIX.get(place.path.suffix, "text") if place.format == "auto" else place.format
    for path in (place.path, place.ids):
        if path is not None and not path.exists():
            raise ConfigError(f"{path}: there is no such file")
    try:
        if kind == "npy":
            return _npy_file(place)
        if kind in ("parquet", "arrow"):
            return _arrow_file(place, kind)
        return text_file(place.path) if kind == "text" else binary_file(place.path)
    except (OSError, EOFError, ValueError, pa.ArrowException) as error:
        raise DataError(f"{place.path}: expected vectors as {kind}: {error}") from error


def _npy_file(place: Place) -> VectorFile:
    if place.ids is None:
        raise ConfigError(f"{place.path}: an npy file holds no ids; set `ids` to a file with one per row")
    vectors = np.load(place.path, mmap_mode="r", allow_pickle=False)
    if vectors.ndim != 2 or vectors.dtype.kind not in "fiu":
        raise DataError(f"{place.path}: {vectors.dtype} {vectors.shape}, expected numbers (n_items, d)")
    ids = _listed_ids(place.ids)
    if len(ids) != len(vectors):
        raise DataError(f"{place.ids}: {len(ids)} ids, but {place.path} has {len(vectors)} rows")

    def chunks() -> Iterator[Chunk]:
        for start in range(0, len(ids), _ROWS_AT_ONCE):
            part = vectors[start : start + _ROWS_AT_ONCE]
            yield Chunk(ids.slice(start, _ROWS_AT_ONCE), rows_of(part))

    return VectorFile(vectors.shape[1], chunks)


def _listed_ids(path: Path) -> pa.StringArray:
    """One id per line of text, or an npy file of strings or whole numbers."""
    if path.suffix != ".npy":
        return pa.array(path.read_text(encoding="utf-8").removesuffix("\n").split("\n"), pa.string())
    ids = np.load(path, mmap_mode="r", allow_pickle=False)
    if ids.ndim != 1 or ids.dtype.kind not in "USiu":
        raise DataError(f"{path}: {ids.dtype} {ids.shape}, expected strings or whole numbers (n_items,)")
    texts = np.char.decode(ids, "utf-8") if ids.dtype.kind == "S" else ids.astype(str)
    return pa.array(texts.tolist(), pa.string())


def _arrow_file(place: Place, kind: str) -> VectorFile:
    # Imported here, because it imports pandas, which the service does without.
    data = importlib.import_module("pyarrow.dataset").dataset(place.path, format=kind)
    for key, name in (("id", place.id), ("vector", place.vector)):
        if name not in data.schema.names:
            nearest = nearest_name(name, data.schema.names)
            hint = f"did you mean {nearest!r}?" if nearest else f"it has {', '.join(data.schema.names)}"
            raise ConfigError(f"{place.path}: has no column {name!r} (`{key}_column`); {hint}")
    form = data.schema.field(place.vector).type
    if not (pa.types.is_list(form) or pa.types.is_large_list(form) or pa.types.is_fixed_size_list(form)):
        raise DataError(f"{place.path}: column {place.vector!r} is {form}, expected lists of numbers")

    def batches() -> Iterator[pa.RecordBatch]:
        yield from data.to_batches(columns=[place.id, place.vector], batch_size=_ROWS_AT_ONCE)

    dimension = form.list_size if pa.types.is_fixed_size_list(form) else _usual_length(place, batches())

    def chunks() -> Iterator[Chunk]:
        for batch in batches():
            yield Chunk(_as_ids(batch.column(0)), _reader(batch.column(1), dimension))

    return VectorFile(dimension, chunks)


def _usual_length(place: Place, batches: Iterator[pa.RecordBatch]) -> int:
    for batch in batches:
        lengths = Counter(pc.list_value_length(batch.column(1)).drop_null().to_pylist())
        if lengths:
            return int(lengths.most_common(1)[0][0])
    raise DataError(f"{place.path}: has no vector in column {place.vector!r}")


def _as_ids(column: pa.Array) -> pa.StringArray:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_floating(column.type):  # whole numbers that a null made floats
        column = column.cast(pa.int64())
    return column.cast(pa.string())


def _reader(column: pa.Array, dimension: int) -> ReadRows:
    def read(rows: Indices) -> tuple[Floats, dict[int, str]]:
        asked = column.take(pa.array(rows))
        lengths = pc.fill_null(pc.list_value_length(asked), -1).to_numpy(zero_copy_only=False)
        vectors = np.zeros((len(rows), dimension), np.float32)
        fits = lengths == dimension
        flat = pc.list_flatten(asked.filter(pa.array(fits))).cast(pa.float32())
        vectors[fits] = flat.to_numpy(zero_copy_only=False).reshape(-1, dimension)  # a null within becomes NaN
        wrong = np.flatnonzero(~fits)
        return vectors, {int(at): f"{max(0, lengths[at])} numbers, expected {dimension}" for at in wrong}

    return read
