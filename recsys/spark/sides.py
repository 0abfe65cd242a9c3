"""Side: the users' or the items' blocks of a matrix, and how the vectors of the other side get to them."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recsys.data.arrays import Floats, Indices
from recsys.models.factors.spectral import logarithm
from recsys.spark.block_work import (
    Others,
    Routes,
    WorkWithVectors,
    map_blocks,
    map_with_all,
    map_with_shipped,
    write_routes,
)
from recsys.spark.cells import row_of
from recsys.spark.row_blocks import SPARK_SCHEMA as BLOCK_SCHEMA
from recsys.spark.row_blocks import RowBlock, StoredBlocks, reading_cells
from recsys.spark.stored_vectors import SPARK_SCHEMA, StoredVectors, write_frame

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True, eq=False)
class Side:
    """One side of a matrix. `scratch`: folder for what is kept of the way that vectors go.

    `broadcast_mib`: vectors of up to this size are read whole by every task; others are shipped to the blocks that
    name them. `routes`: which block names which vectors, written when vectors are shipped for the first time.
    """

    spark: "SparkSession"
    blocks: StoredBlocks
    scratch: Path
    broadcast_mib: float
    routes: list[Routes] = field(default_factory=list)

    def of(self, blocks: StoredBlocks) -> "Side":
        """The same side with other weights of the same entries, in the same blocks."""
        return replace(self, blocks=blocks)

    def frame(self, work: WorkWithVectors, others: Others, schema: str) -> "DataFrame":
        """The rows of `schema` that `work` makes of each block and of the vectors `others`."""
        if others.mib <= self.broadcast_mib:
            return map_with_all(self.spark, self.blocks, work, schema, others)
        return map_with_shipped(self.spark, self.blocks, work, schema, others, self._routes(others.vectors))

    def write(self, work: WorkWithVectors, others: Others, folder: Path, factors: int) -> StoredVectors:
        """Write the vectors that `work` makes of each block and of the vectors `others` into `folder`."""
        with reading_cells(self.spark):
            return write_frame(self.frame(work, others, SPARK_SCHEMA), folder, factors)

    def write_alone(self, work: Callable[[RowBlock], pa.RecordBatch], folder: Path, factors: int) -> StoredVectors:
        """Write the vectors that `work` makes of each block alone into `folder`."""
        with reading_cells(self.spark):
            return write_frame(map_blocks(self.spark, self.blocks, work, SPARK_SCHEMA), folder, factors)

    def write_weights(self, frame: "DataFrame", folder: Path) -> "Side":
        """The side with the weights in `frame`, rows of a matrix in blocks, which are written into `folder`."""
        stored = StoredBlocks(folder, self.blocks.shape)
        with reading_cells(self.spark):
            frame.write.mode("overwrite").option("parquet.page.size.row.check.min", "1").parquet(str(stored.table))
        stored.write_shape()
        return self.of(stored)

    def collect(self, work: Callable[[RowBlock], pa.RecordBatch], schema: str) -> pa.Table:
        """The rows of `schema` that `work` makes of each block alone, in the order of the blocks, on the driver."""
        with reading_cells(self.spark):
            return map_blocks(self.spark, self.blocks, work, schema).toArrow().sort_by("block")

    def _routes(self, others: StoredVectors) -> Routes:
        if not self.routes:
            self.routes.append(write_routes(self.spark, self.blocks, others, self.scratch))
        return self.routes[0]


@dataclass(frozen=True, eq=False)
class Facts:
    """What the driver keeps of a side. `bounds`: int64 (n_blocks + 1,), each block's first row, and their number.

    `digest`: of all blocks. `lengths`, `log_sums`: int32 and float32 (n_rows,), the entries of each row and the sums
    of log(1 + weight), of the items' side only.
    """

    bounds: NDArray[np.int64]
    digest: str
    lengths: Indices
    log_sums: Floats


_FACTS = "block int, first long, rows int, lengths binary, sums binary, digest binary"


def facts_of(side: Side, *, of_rows: bool) -> Facts:
    """Collect them; with `of_rows` the arrays too."""
    table = side.collect(partial(_fact, of_rows), _FACTS)
    firsts = table.column("first").to_numpy()
    lengths, sums = (b"".join(table.column(name).to_pylist()) for name in ("lengths", "sums"))
    return Facts(
        bounds=np.append(firsts, side.blocks.shape.n_rows).astype(np.int64),
        digest=blake2b(b"".join(table.column("digest").to_pylist()), digest_size=16).hexdigest(),
        lengths=np.frombuffer(lengths, np.int32),
        log_sums=np.frombuffer(sums, np.float32),
    )


def _fact(of_rows: bool, block: RowBlock) -> pa.RecordBatch:
    csr, hashed = block.rows, blake2b(digest_size=16)
    for array in (np.array([block.first]), csr.indptr, csr.indices, csr.data):
        hashed.update(np.ascontiguousarray(array).data)
    lengths = np.diff(csr.indptr).astype(np.int32) if of_rows else np.zeros(0, np.int32)
    sums = log_sums_of_rows(block) if of_rows else np.zeros(0, np.float32)
    schema = pa.schema(
        [("block", pa.int32()), ("first", pa.int64()), ("rows", pa.int32())]
        + [(name, pa.binary()) for name in ("lengths", "sums", "digest")]
    )
    digest = np.frombuffer(hashed.digest(), np.uint8)
    return row_of(schema, block.number, block.first, csr.shape[0], lengths, sums, digest)


def log_sums_of_rows(block: RowBlock) -> Floats:
    """float32 (n,): the sums of the rows of log(1 + weight)."""
    sums: Floats = logarithm(block.rows) @ np.ones(block.rows.shape[1], np.float32)
    return sums


def weights_frame(side: Side, work: Callable[[RowBlock], pa.RecordBatch]) -> "DataFrame":
    """Rows of a matrix in blocks that `work` makes of each block alone."""
    return map_blocks(side.spark, side.blocks, work, BLOCK_SCHEMA)
