"""Vectors made elsewhere, keyed by item: npy, Parquet, Arrow, word2vec and GloVe files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from recsys.config import FilePath
from recsys.content.config import EncoderConfig
from recsys.content.encoder import Encoded, EncoderKind, Problems
from recsys.content.vector_chunks import Chunk, VectorFile
from recsys.content.vector_files import Format, Place, open_vectors
from recsys.data.arrays import Bools, Floats
from recsys.data.items import Items
from recsys.data.matrix import InteractionMatrix
from recsys.progress import Progress, silent
from recsys.retrieval.exact import normalised

_NOT_FINITE = "a vector with NaN or infinity"
_WRONG = "a vector that cannot be read"
_ZERO = "a zero vector"
_SECOND = "a further vector, which is left out"
_FOREIGN = "a vector, but neither in the log nor in the catalogue"
_NONE = "no vector in the file"


class VectorsConfig(EncoderConfig):
    """Vectors made elsewhere, keyed by item: npy, Parquet, Arrow, word2vec and GloVe files."""

    encoder: Literal["vectors"] = Field("vectors", description="how the vectors are made")
    path: FilePath = Field(description="the file; of Parquet, a folder too")
    ids: FilePath | None = Field(
        None, description="of an npy file: the items of its rows, one id per line, or an npy file of strings"
    )
    id_column: str = Field("id", min_length=1, description="of Parquet and Arrow: column with the item's id")
    vector_column: str = Field(
        "vector", min_length=1, description="of Parquet and Arrow: column with lists of numbers"
    )
    format: Format = Field(
        "auto",
        description="`auto` takes it from the file's name: .npy, .parquet, .arrow or .feather, .bin (word2vec); "
        "others are word2vec or GloVe text",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.columns:
            raise ValueError("columns: vectors are found by the item's id; leave it out")
        is_npy = self.format == "npy" or (self.format == "auto" and self.path.suffix == ".npy")
        if is_npy and self.ids is None:
            raise ValueError("ids: missing; an npy file holds no ids, so a file with one per row is needed")
        return self

    @property
    def place(self) -> Place:
        """Where the vectors lie."""
        return Place(self.path, self.ids, self.id_column, self.vector_column, self.format)


@dataclass(frozen=True, eq=False)
class VectorsEncoder:
    """Looks vectors up in `file`, a chunk at a time."""

    file: VectorFile

    @property
    def dimension(self) -> int:
        """The dimension d of its vectors."""
        return self.file.dimension

    def encode(self, items: Items, *, progress: Progress = silent) -> Encoded:
        """The vectors of `items`, divided by their length. Of several for one item, the first counts."""
        n = len(items.ids)
        vectors, met, problems = np.zeros((n, self.dimension), np.float32), np.zeros(n, np.bool_), Problems()
        n_read = 0
        for chunk in self.file.chunks():
            progress("encode: vectors", n_read, None)
            _take(chunk, items, vectors, met, problems)
            n_read += len(chunk.ids)
        progress("encode: vectors", n_read, n_read)
        if len(missing := np.flatnonzero(~met)):
            problems.add(_NONE, f"item {items.ids.id_at(int(missing[0]))!r}", n_items=len(missing))
        return Encoded(vectors, problems)

    def save(self, folder: Path) -> None:
        """Nothing: a version knows the vectors of its items, and none of later ones."""


def _take(chunk: Chunk, items: Items, vectors: Floats, met: Bools, problems: Problems) -> None:
    """Put the vectors of one chunk into `vectors`; `met`: the items of which a vector was seen."""
    positions, known = items.ids.encode(chunk.ids)
    rows = np.flatnonzero(known).astype(np.int32)
    if n_foreign := len(known) - len(rows):
        first = chunk.ids[int(np.flatnonzero(~known)[0])].as_py()
        problems.add(_FOREIGN, f"item {first!r}", n_items=n_foreign)
    _, first_here = np.unique(positions, return_index=True)
    fresh = np.zeros(len(rows), np.bool_)
    fresh[first_here] = True
    fresh &= ~met[positions]
    if not fresh.all():
        again = items.ids.id_at(int(positions[~fresh][0]))
        problems.add(_SECOND, f"item {again!r}", n_items=int((~fresh).sum()))
    positions, rows = positions[fresh], rows[fresh]
    found, faults = chunk.read(rows)
    met[positions] = True
    finite = np.asarray(np.isfinite(found).all(axis=1))
    with np.errstate(over="ignore"):
        found = normalised(np.ascontiguousarray(np.where(finite[:, None], found, 0), np.float32))
    for at in np.flatnonzero(~found.any(axis=1)).tolist():
        named = f"item {items.ids.id_at(int(positions[at]))!r}"
        if at in faults:
            problems.add(_WRONG, f"{named}: {faults[at]}")
        else:
            problems.add(_ZERO if finite[at] else _NOT_FINITE, named)
    vectors[positions] = found


def fit_vectors(
    items: Items, config: VectorsConfig, *, histories: InteractionMatrix | None = None, progress: Progress = silent
) -> VectorsEncoder:
    """Open the file. Raises ConfigError or DataError if it is missing, damaged, or of another format."""
    return VectorsEncoder(open_vectors(config.place))


def _files(config: VectorsConfig) -> tuple[Path, ...]:
    return (config.path,) if config.ids is None else (config.path, config.ids)


VECTORS = EncoderKind(VectorsConfig, fit_vectors, files=_files, reads=lambda items, config: ())
