"""Stored vectors: those of one side as a table of Spark, a row per block of matrix rows, with its Gram matrix."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.lib import format as npy
from numpy.typing import NDArray

from recsys.data.arrays import Doubles, Floats
from recsys.data.loading import damage_named
from recsys.models.factors.als_solver.rotation import gram_of, rotate
from recsys.spark.cells import cell_in, row_of
from recsys.spark.row_blocks import BLOCK, FIRST, reading_cells, vectors_in
from recsys.spark.worker import in_worker

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

VECTORS, GRAM, ROWS = "vectors", "gram", "rows"

SCHEMA = pa.schema(
    [(BLOCK, pa.int32()), (FIRST, pa.int64()), (ROWS, pa.int32()), (VECTORS, pa.binary()), (GRAM, pa.binary())]
)
"""`vectors`: float32 (rows, d), those of the matrix rows from `first` on. `gram`: float64 (d, d), of what a next step
takes the Gram matrix of, mostly these vectors; empty if none does.
"""

SPARK_SCHEMA = "block int, first long, rows int, vectors binary, gram binary"

_TABLE, _INDEX = "vectors.parquet", "vectors.json"
_HELD = "vectors in blocks"

_WRITING = {
    "compression": "uncompressed",  # numbers of this kind get no smaller
    "parquet.enable.dictionary": "false",
    "parquet.page.size.row.check.min": "1",  # a row is megabytes
    "parquet.page.size.row.check.max": "8",
}


@dataclass(frozen=True)
class Place:
    """Where the vectors of a block are: `rows` of them from matrix row `first` on, in row `at` of `file`."""

    first: int
    rows: int
    file: str
    at: int


@dataclass(frozen=True)
class StoredVectors:
    """Vectors of all rows of a side, in `folder`, which the driver and every executor see.

    `factors`: d. It is small, and so can be part of a task.
    """

    folder: Path
    factors: int

    @property
    def table(self) -> Path:
        """The folder of the Parquet files."""
        return self.folder / _TABLE

    def read(self, spark: "SparkSession") -> "DataFrame":
        """`block`, `first`, `rows` and `vectors`."""
        return spark.read.schema(SPARK_SCHEMA).parquet(str(self.table)).drop(GRAM)

    @property
    def places(self) -> dict[int, Place]:
        """By number of block. Raises ArtifactError if the table is not whole."""
        return _places(self.folder)

    @property
    def stamp(self) -> int:
        """Another one whenever the vectors are written anew."""
        return (self.folder / _INDEX).stat().st_mtime_ns

    @property
    def n_rows(self) -> int:
        """Rows of the side."""
        return sum(place.rows for place in self.places.values())

    def of_block(self, number: int) -> Floats:
        """float32 (n, d), read-only."""
        place = self.places[number]
        return vectors_in(cell_in(_cells(self.table / place.file), place.at), self.factors)

    def pieces(self) -> Iterator[tuple[int, Floats]]:
        """The first matrix row and the vectors of every block, file by file; one block at a time is in memory.

        Raises ArtifactError if a file is damaged.
        """
        for file in sorted({place.file for place in self.places.values()}):
            path = self.table / file
            with damage_named(path, _HELD), pq.ParquetFile(path, memory_map=True) as opened:
                for batch in opened.iter_batches(1, columns=[FIRST, VECTORS]):
                    first, vectors = batch.columns
                    yield first[0].as_py(), vectors_in(cell_in(vectors, 0), self.factors)

    def whole(self, turn: Floats | None = None) -> Floats:
        """float32 (n_rows, d'), read-only: all vectors, times `turn`, float32 (d, d'), if one is given."""
        width = self.factors if turn is None else turn.shape[1]
        found = np.empty((self.n_rows, width), np.float32)
        for first, vectors in self.pieces():
            found[first : first + len(vectors)] = vectors if turn is None else vectors @ turn
        found.flags.writeable = False
        return found

    def save_npy(self, path: Path) -> None:
        """Write all vectors as one npy file, float32 (n_rows, d), block by block."""
        with path.open("wb") as file:
            header = {"descr": "<f4", "fortran_order": False, "shape": (self.n_rows, self.factors)}
            npy.write_array_header_1_0(file, header)
            start, width = file.tell(), 4 * self.factors
            for first, vectors in self.pieces():
                file.seek(start + first * width)
                file.write(np.ascontiguousarray(vectors).data)

    def gram(self) -> Doubles:
        """float64 (d, d): the sum of the blocks' Gram matrices, in the order of the blocks."""
        total = np.zeros((self.factors, self.factors))
        for _, place in sorted(self.places.items()):
            total += np.frombuffer(cell_in(_cells(self.table / place.file, GRAM), place.at)).reshape(total.shape)
        return total

    def turned(self, turn: Doubles | None) -> Floats:
        """float32 (n_rows, d): all vectors on the driver, which holds one side only, that of the items."""
        found = self.whole().copy()
        if turn is not None:
            rotate(found, turn, threads=1)
        return found


def write_frame(frame: "DataFrame", folder: Path, factors: int) -> StoredVectors:
    """Write rows of SCHEMA, one per block; whatever was in `folder` is replaced."""
    stored = StoredVectors(folder, factors)
    writer = frame.write.mode("overwrite")
    for key, value in _WRITING.items():
        writer = writer.option(key, value)
    writer.parquet(str(stored.table))
    _write_index(folder)
    return stored


def write_blocks(
    blocks: Iterable[tuple[int, int, Floats]], folder: Path, factors: int, *, gram: bool = False
) -> StoredVectors:
    """Write (number, first row, vectors float32 (n, d)) from the driver, one file per block, as they come.

    `gram`: with their Gram matrices.
    """
    stored = StoredVectors(folder, factors)
    stored.table.mkdir(parents=True, exist_ok=True)
    for number, first, vectors in blocks:
        table = pa.Table.from_batches([(with_gram if gram else vectors_batch)(number, first, vectors)])
        pq.write_table(table, stored.table / f"part-{number:06d}.parquet", compression="none", use_dictionary=False)
    _write_index(folder)
    return stored


def write_whole(vectors: Floats, bounds: NDArray[np.int64], folder: Path) -> StoredVectors:
    """Write vectors of this process, float32 (n, d), in the blocks that start at `bounds`, int64 (n_blocks + 1,)."""
    blocks = (
        (number, int(start), np.ascontiguousarray(vectors[start:stop]))
        for number, (start, stop) in enumerate(pairwise(bounds.tolist()))
    )
    return write_blocks(blocks, folder, vectors.shape[1], gram=True)


def rotated(spark: "SparkSession", stored: StoredVectors, rotation: Floats, folder: Path) -> StoredVectors:
    """Write the vectors times `rotation`, float32 (d, d), into another folder, with their Gram matrices."""
    with reading_cells(spark):
        frame = stored.read(spark).mapInArrow(partial(_rotate, rotation), SPARK_SCHEMA)
        return write_frame(frame, folder, stored.factors)


def _rotate(rotation: Floats, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    with in_worker():
        for batch in batches:
            number, first, cells = (batch.column(name) for name in (BLOCK, FIRST, VECTORS))
            for at in range(batch.num_rows):
                vectors = vectors_in(cell_in(cells, at), len(rotation))
                yield with_gram(number[at].as_py(), first[at].as_py(), vectors @ rotation)


def vectors_batch(number: int, first: int, vectors: Floats, gram: Doubles | None = None) -> pa.RecordBatch:
    """One row of SCHEMA."""
    vectors = vectors.astype(np.float32, copy=False)
    return row_of(SCHEMA, number, first, len(vectors), vectors, np.zeros(0) if gram is None else gram)


def with_gram(number: int, first: int, vectors: Floats) -> pa.RecordBatch:
    """One row of SCHEMA, with the Gram matrix of its vectors."""
    return vectors_batch(number, first, vectors, gram_of(vectors, threads=1))


def _write_index(folder: Path) -> None:
    """Say where each block is, and so that the table is whole; it is written last."""
    files = sorted((folder / _TABLE).glob("part-*.parquet"))
    found = {}
    for file in files:
        table = pq.read_table(file, columns=[BLOCK, FIRST, ROWS])
        for at, row in enumerate(table.to_pylist()):
            found[row[BLOCK]] = [row[FIRST], row[ROWS], file.name, at]
    (folder / _INDEX).write_text(json.dumps(found), encoding="utf-8")


def _places(folder: Path) -> dict[int, Place]:
    path = folder / _INDEX
    with damage_named(path, "where the vectors of each block are"):
        return _places_once(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _places_once(path: Path, stamp: int) -> dict[int, Place]:
    return {int(number): Place(*place) for number, place in json.loads(path.read_text(encoding="utf-8")).items()}


@lru_cache(maxsize=1)
def _cells_once(path: Path, column: str, stamp: int) -> pa.ChunkedArray:
    return pq.read_table(path, columns=[column]).column(column)


def _cells(path: Path, column: str = VECTORS) -> pa.ChunkedArray:
    """A column of a file, kept for the next block, which is mostly in the same file. Raises ArtifactError."""
    with damage_named(path, _HELD):
        return _cells_once(path, column, path.stat().st_mtime_ns)
