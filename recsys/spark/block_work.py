"""Work on each block of a matrix, with the vectors of the columns that its rows name.

The vectors come one of two ways. If they are small, every task reads all of them. If not, they are shipped: it is
written once which block names which vectors, and from then on each block gets those, each once, in a shuffle.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from recsys.data.arrays import Floats, Indices
from recsys.data.matrix import Csr
from recsys.memory import give_back
from recsys.spark.cells import cell_in, cells_in, row_of
from recsys.spark.failures import carried
from recsys.spark.row_blocks import BLOCK, COLUMNS, RowBlock, StoredBlocks, blocks_of, vectors_in
from recsys.spark.stored_vectors import StoredVectors
from recsys.spark.worker import in_worker

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Work = Callable[[RowBlock], pa.RecordBatch]
"""What is made of a block alone."""

WorkWithVectors = Callable[[RowBlock, Floats], pa.RecordBatch]
"""What is made of a block and of vectors, float32 (m, d), one per column of its rows.

The columns may be fewer than those of the matrix; the block is then a `CompactBlock`.
"""


@dataclass(frozen=True, eq=False)
class CompactBlock(RowBlock):
    """A block over the columns that its rows name. `columns`: int32 (m,), ascending, where they are in the matrix."""

    columns: Indices
    n_columns: int

    def over_all(self, csr: Csr) -> Csr:
        """Rows over these columns, as rows over all columns."""
        return Csr((csr.data, self.columns[csr.indices], csr.indptr), shape=(csr.shape[0], self.n_columns))


SOURCE, PLACES = "source", "places"

_ROUTES = "block int, source int, places binary"
_SHIPPED = "block int, source int, columns binary, vectors binary"


@dataclass(frozen=True)
class Others:
    """`vectors` of the columns, each times `turn`, float32 (d, d'), if there is one."""

    vectors: StoredVectors
    turn: Floats | None = None

    @property
    def mib(self) -> float:
        """Their size, all together, as a task holds them."""
        return 4 * self.vectors.n_rows * self.width / 2**20

    @property
    def width(self) -> int:
        """d', numbers of a vector."""
        return self.vectors.factors if self.turn is None else self.turn.shape[1]


@dataclass(frozen=True)
class Routes:
    """Which block names which vectors, in `folder`: a folder per block of vectors, `source=NUMBER`."""

    folder: Path

    def of(self, source: int) -> pa.Table:
        """`block`, and `places`, int32, the rows in `source` that it names."""
        files = sorted((self.folder / f"{SOURCE}={source}").glob("*.parquet"))
        empty = pa.schema([(BLOCK, pa.int32()), (PLACES, pa.binary())]).empty_table()
        return pa.concat_tables([empty, *(pq.ParquetFile(file).read(columns=[BLOCK, PLACES]) for file in files)])


def map_blocks(spark: "SparkSession", blocks: StoredBlocks, work: Work, schema: str) -> "DataFrame":
    """The rows of `schema` that `work` makes of each block."""
    return blocks.read(spark).mapInArrow(partial(_alone, work, blocks.shape.n_columns), schema)


def map_with_all(
    spark: "SparkSession", blocks: StoredBlocks, work: WorkWithVectors, schema: str, others: Others
) -> "DataFrame":
    """The same with the vectors of all columns, which every task reads."""
    return blocks.read(spark).mapInArrow(partial(_with_all, work, blocks.shape.n_columns, others), schema)


def map_with_shipped(
    spark: "SparkSession", blocks: StoredBlocks, work: WorkWithVectors, schema: str, others: Others, routes: Routes
) -> "DataFrame":
    """The same with the vectors of the columns that a block names, which are sent to it."""
    shipped = others.vectors.read(spark).mapInArrow(partial(_ship, others, routes), _SHIPPED)
    n_tasks = min(blocks.shape.n_blocks, 4 * max(spark.sparkContext.defaultParallelism, 1))
    sides = (frame.repartition(n_tasks, BLOCK).groupBy(BLOCK) for frame in (blocks.read(spark), shipped))
    n_columns, width = blocks.shape.n_columns, others.width

    def with_shipped(block: pa.Table, vectors: pa.Table) -> pa.Table:  # Spark counts its arguments
        return _with_shipped(work, n_columns, width, block, vectors)

    own, of_others = sides
    return own.cogroup(of_others).applyInArrow(with_shipped, schema)


def write_routes(spark: "SparkSession", blocks: StoredBlocks, others: StoredVectors, folder: Path) -> Routes:
    """Write which block names which of the vectors in the blocks of `others`; computed once per matrix."""
    places = sorted(others.places.items())
    starts = np.array([place.first for _, place in places], np.int64)
    numbers = np.array([number for number, _ in places], np.int32)
    rows = blocks.read(spark).mapInArrow(partial(_routes, blocks.shape.n_columns, starts, numbers), _ROUTES)
    rows.repartition(SOURCE).write.mode("overwrite").partitionBy(SOURCE).parquet(str(folder))
    return Routes(folder)


@carried
def _alone(work: Work, n_columns: int, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    with in_worker():
        for batch in batches:
            for block in blocks_of(batch, n_columns):
                yield work(block)
                give_back()


@carried
def _with_all(
    work: WorkWithVectors, n_columns: int, others: Others, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    with in_worker():
        for batch in batches:
            for block in blocks_of(batch, n_columns):
                yield work(block, _all_of(others))
                give_back()


def _all_of(others: Others) -> Floats:
    """All vectors, kept by the process for its next task; those of the step before go first, for the memory."""
    turn = b"" if others.turn is None else others.turn.tobytes()
    key = (others.vectors, others.vectors.stamp, turn)
    if key not in _held:
        _held.clear()
        _held[key] = others.vectors.whole(others.turn)
    return _held[key]


_held: dict[tuple[StoredVectors, int, bytes], Floats] = {}


@carried
def _ship(others: Others, routes: Routes, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """For each block that names some vectors of a source: which, and the vectors."""
    schema = pa.schema([(BLOCK, pa.int32()), (SOURCE, pa.int32()), (COLUMNS, pa.binary()), ("vectors", pa.binary())])
    with in_worker():
        for batch in batches:
            for row in range(batch.num_rows):
                source, first = batch.column(BLOCK)[row].as_py(), batch.column("first")[row].as_py()
                vectors = vectors_in(cell_in(batch.column("vectors"), row), others.vectors.factors)
                turned = vectors if others.turn is None else vectors @ others.turn
                table = routes.of(source)
                for number, cell in zip(table.column(BLOCK).to_pylist(), cells_in(table.column(PLACES)), strict=True):
                    at = np.frombuffer(cell, np.int32)
                    columns = (at + np.int32(first)).astype(np.int32)
                    yield row_of(schema, number, source, columns, turned[at])


def _with_shipped(work: WorkWithVectors, n_columns: int, width: int, block: pa.Table, shipped: pa.Table) -> pa.Table:
    ordered = shipped.sort_by(SOURCE)
    cells = [np.frombuffer(cell, np.int32) for cell in cells_in(ordered.column(COLUMNS))]
    columns = np.concatenate([np.empty(0, np.int32), *cells])
    vectors = [
        np.frombuffer(cell, np.float32).reshape(len(at), -1)
        for cell, at in zip(cells_in(ordered.column("vectors")), cells, strict=True)
    ]
    made = []
    with in_worker():
        for each in blocks_of(block, n_columns):
            csr = each.rows
            places = np.searchsorted(columns, csr.indices).astype(np.int32)
            compact = Csr((csr.data, places, csr.indptr), shape=(csr.shape[0], len(columns)))
            held = np.concatenate(vectors) if vectors else np.zeros((0, width), np.float32)
            held.flags.writeable = False
            made.append(work(CompactBlock(each.number, each.first, compact, columns, n_columns), held))
    return pa.Table.from_batches(made)


@carried
def _routes(
    n_columns: int, starts: NDArray[np.int64], numbers: Indices, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    schema = pa.schema([(BLOCK, pa.int32()), (SOURCE, pa.int32()), (PLACES, pa.binary())])
    for batch in batches:
        for block in blocks_of(batch, n_columns):
            columns = np.unique(block.rows.indices)
            source = np.searchsorted(starts, columns, side="right") - 1
            cut = np.append(np.flatnonzero(np.diff(source, prepend=-1)), len(columns))
            for start, stop in pairwise(cut.tolist()):
                at = (columns[start:stop] - starts[source[start]]).astype(np.int32)
                yield row_of(schema, block.number, int(numbers[source[start]]), at)
