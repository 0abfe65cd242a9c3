"""Driver matrix: whole users of a training matrix in blocks, as many as the driver may hold; sums of its items."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from recsys.data.arrays import Doubles, Indices
from recsys.data.id_map import IdMap
from recsys.data.matrix import InteractionMatrix
from recsys.spark.cells import cells_in, row_of
from recsys.spark.failures import named_failures
from recsys.spark.row_blocks import FIRST, StoredBlocks, blocks_of, reading_cells
from recsys.spark.sample import sample_rows

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_SUMS = f"{FIRST} long, degree binary, weight binary"


@dataclass(frozen=True, eq=False)
class DriverMatrix:
    """`matrix`: over all items, of the users that were drawn. `row`: int32, their rows in the whole matrix."""

    matrix: InteractionMatrix
    row: Indices
    n_users: int

    @property
    def is_whole(self) -> bool:
        """Whether it has all users."""
        return len(self.row) == self.n_users


def driver_matrix(
    spark: "SparkSession", blocks: StoredBlocks, positions: Path, *, users: IdMap, items: IdMap, most_entries: int
) -> DriverMatrix:
    """Whole users with up to about `most_entries`; all of them if there are no more.

    `blocks`: the matrix, by users. `positions`: npy file of int32, where its users are in `users`.
    """
    with named_failures("while users were drawn for the driver"), reading_cells(spark):
        row, rows = sample_rows(spark, blocks, most_entries, users=positions)
    found = np.load(positions, mmap_mode="r", allow_pickle=False)[row]
    return DriverMatrix(InteractionMatrix(users.take(found), items, rows), row, blocks.shape.n_rows)


def item_sums(spark: "SparkSession", items: StoredBlocks) -> tuple[Indices, Doubles]:
    """Users of each item, int32 (n_items,), and the sum of its weights, float64. `items`: the matrix by items."""
    degree, weight = np.zeros(items.shape.n_rows, np.int32), np.zeros(items.shape.n_rows)
    with named_failures("while items were counted"), reading_cells(spark):
        table = items.read(spark).mapInArrow(partial(_sums, items.shape.n_columns), _SUMS).toArrow()
    firsts, *cells = table.columns
    for first, counts, sums in zip(firsts.to_pylist(), *map(cells_in, cells), strict=True):
        found = np.frombuffer(counts, np.int32)
        degree[first:][: len(found)] = found
        weight[first:][: len(found)] = np.frombuffer(sums, np.float64)
    return degree, weight


def _sums(n_columns: int, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    schema = pa.schema([(FIRST, pa.int64()), ("degree", pa.binary()), ("weight", pa.binary())])
    for batch in batches:
        for block in blocks_of(batch, n_columns):
            degree = np.diff(block.rows.indptr).astype(np.int32)
            row = np.repeat(np.arange(len(degree)), degree)
            weight = np.bincount(row, weights=block.rows.data, minlength=len(degree))
            yield row_of(schema, block.first, degree, weight)
