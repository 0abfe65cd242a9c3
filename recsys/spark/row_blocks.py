"""Row blocks: a sparse matrix as a table of Spark, one row of the table per block of consecutive matrix rows.

Arrays are cells of bytes in the layout of numpy, so that Spark moves them without looking into them, and a task takes
them as arrays without a copy. The users' side has the matrix, the items' side its transpose.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recsys.data.arrays import Floats, Indices
from recsys.data.matrix import Csr
from recsys.errors import ArtifactError
from recsys.spark.cells import cell_in, row_of
from recsys.spark.limits import MOST_ENTRIES, check_block

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

BLOCK, FIRST, LENGTHS, COLUMNS, WEIGHTS = "block", "first", "lengths", "columns", "weights"

SCHEMA = pa.schema(
    [(BLOCK, pa.int32()), (FIRST, pa.int64()), (LENGTHS, pa.binary()), (COLUMNS, pa.binary()), (WEIGHTS, pa.binary())]
)
"""`first`: the matrix row that the block begins with. `lengths`: int32, entries of each row. `columns`: int32.
`weights`: float32.
"""

SPARK_SCHEMA = "block int, first long, lengths binary, columns binary, weights binary"
"""The same, as Spark writes it."""

_TABLE, _SHAPE = "blocks.parquet", "shape.json"


@dataclass(frozen=True, eq=False)
class RowBlock:
    """`rows`: float32 CSR (n, n_columns), the matrix rows from `first` on. `number`: of the block, from 0."""

    number: int
    first: int
    rows: Csr

    def to_batch(self, *, most_entries: int = MOST_ENTRIES) -> pa.RecordBatch:
        """One row of SCHEMA. Raises DataError if the block does not have less than `most_entries`."""
        check_block(self.rows.nnz, first=self.first, n_rows=self.rows.shape[0], most=most_entries)
        lengths = np.diff(self.rows.indptr).astype(np.int32)
        return row_of(SCHEMA, self.number, self.first, lengths, self.rows.indices, self.rows.data)


def blocks_of(batch: pa.RecordBatch | pa.Table, n_columns: int) -> Iterator[RowBlock]:
    """The blocks in rows of SCHEMA, in their order; their arrays are read-only views."""
    for piece in batch.to_batches() if isinstance(batch, pa.Table) else [batch]:
        for at in range(piece.num_rows):
            lengths, columns = (_array(piece, name, at, np.int32) for name in (LENGTHS, COLUMNS))
            weights = _array(piece, WEIGHTS, at, np.float32)
            indptr = np.append(0, np.cumsum(lengths, dtype=np.int32)).astype(np.int32)
            csr = Csr((weights, columns, indptr), shape=(len(lengths), n_columns))
            yield RowBlock(piece.column(BLOCK)[at].as_py(), piece.column(FIRST)[at].as_py(), csr)


def cut_rows(lengths: Indices, block_entries: int) -> Indices:
    """int64 (n_blocks + 1,): the first row of each block, and the number of rows.

    `lengths`: int32 (n_rows,), entries of each row. A block has up to `block_entries` entries, or one longer row.
    """
    total, bounds = np.cumsum(lengths, dtype=np.int64), [0]
    while bounds[-1] < len(lengths):
        done = total[bounds[-1] - 1] if bounds[-1] else 0
        bounds.append(max(int(np.searchsorted(total, done + block_entries, side="right")), bounds[-1] + 1))
    return np.array(bounds, np.int64)


def split_rows(csr: Csr, block_entries: int) -> Iterator[RowBlock]:
    """The rows of a matrix of this process in blocks."""
    bounds = cut_rows(np.diff(csr.indptr).astype(np.int32), block_entries)
    for number, (start, stop) in enumerate(pairwise(bounds)):
        yield RowBlock(number, int(start), csr[start:stop])


@dataclass(frozen=True)
class BlocksShape:
    """`n_rows`, `n_columns`, `entries`: of the whole matrix. `n_blocks`: in which it is stored."""

    n_rows: int
    n_columns: int
    entries: int
    n_blocks: int


@dataclass(frozen=True)
class StoredBlocks:
    """A matrix in blocks in `folder`, which the driver and every executor see: Parquet of SCHEMA, and its shape."""

    folder: Path
    shape: BlocksShape

    @property
    def table(self) -> Path:
        """The folder of the Parquet files."""
        return self.folder / _TABLE

    def read(self, spark: "SparkSession") -> "DataFrame":
        """Its rows; a partition has whole blocks, in any order."""
        return spark.read.schema(SPARK_SCHEMA).parquet(str(self.table))

    def write_shape(self) -> None:
        """Say that the table is whole; it is written last."""
        (self.folder / _SHAPE).write_text(json.dumps(asdict(self.shape)), encoding="utf-8")

    @staticmethod
    def load(folder: Path) -> "StoredBlocks":
        """What a step before wrote. Raises ArtifactError if it is missing or not whole."""
        try:
            return StoredBlocks(folder, BlocksShape(**json.loads((folder / _SHAPE).read_text(encoding="utf-8"))))
        except (OSError, ValueError, TypeError) as error:
            raise ArtifactError(f"{folder}: no whole matrix in blocks: {error}") from error


@contextmanager
def reading_cells(spark: "SparkSession") -> Iterator[None]:
    """Spark's reader of Parquet holds one row at once, not 4,096: a row is a block, of megabytes."""
    key = "spark.sql.parquet.columnarReaderBatchSize"
    before = str(spark.conf.get(key))
    spark.conf.set(key, "1")
    try:
        yield
    finally:
        spark.conf.set(key, before)


def vectors_in(cell: pa.Buffer, factors: int) -> Floats:
    """float32 (n, factors), read-only: the vectors of a cell."""
    return np.frombuffer(cell, np.float32).reshape(-1, factors)


def concatenated(blocks: Iterable[RowBlock]) -> Csr:
    """All rows of blocks that cover the rows from 0 on, in any order; for tests and small matrices."""
    ordered = sorted(blocks, key=lambda block: block.first)
    n_columns = ordered[0].rows.shape[1]
    indptr = np.append(0, np.cumsum(np.concatenate([np.diff(block.rows.indptr) for block in ordered])))
    data, indices = (np.concatenate([getattr(block.rows, name) for block in ordered]) for name in ("data", "indices"))
    return Csr((data, indices, indptr.astype(np.int32)), shape=(len(indptr) - 1, n_columns))


def _array(batch: pa.RecordBatch, name: str, at: int, dtype: type) -> NDArray[Any]:
    return np.frombuffer(cell_in(batch.column(name), at), dtype)
