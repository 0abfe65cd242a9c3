"""Transposing: the items' side of a matrix in blocks, from the users' side, in one shuffle."""

from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recsys.data.matrix import Csr
from recsys.spark.failures import named_failures
from recsys.spark.row_blocks import (
    SCHEMA,
    SPARK_SCHEMA,
    BlocksShape,
    RowBlock,
    StoredBlocks,
    blocks_of,
    cut_rows,
    reading_cells,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def transposed(
    spark: "SparkSession", users: StoredBlocks, degree: NDArray[np.int64], *, folder: Path, block_entries: int
) -> StoredBlocks:
    """Write the transpose of `users` into `folder`, in blocks of up to `block_entries` or one longer row.

    `degree`: int64 (n_columns,), the entries of each column.
    """
    bounds = cut_rows(degree.astype(np.int32), block_entries)
    shape = BlocksShape(users.shape.n_columns, users.shape.n_rows, users.shape.entries, len(bounds) - 1)
    items = StoredBlocks(folder, shape)
    pieces = users.read(spark).mapInArrow(partial(_pieces, bounds, users.shape.n_columns), SPARK_SCHEMA)

    def join(pieces: pa.Table) -> pa.Table:  # a function with types, by which Spark knows what it takes
        return _joined(bounds, users.shape.n_rows, pieces)

    joined = pieces.groupBy("block").applyInArrow(join, SPARK_SCHEMA)
    with named_failures("while the matrix was transposed"), reading_cells(spark):
        joined.write.mode("overwrite").option("parquet.page.size.row.check.min", "1").parquet(str(items.table))
    items.write_shape()
    return items


def _pieces(bounds: Any, n_columns: int, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """What each block of users holds of each block of items; `first` is the first user.

    The first block has a piece of every block of items, so that none is missing.
    """
    for batch in batches:
        for users in blocks_of(batch, n_columns):
            by_item = users.rows.tocsc()
            for number, (start, stop) in enumerate(pairwise(bounds.tolist())):
                piece = by_item.indptr[start : stop + 1]
                if piece[-1] > piece[0] or users.number == 0:
                    rows = slice(int(piece[0]), int(piece[-1]))
                    parts = by_item.data[rows], by_item.indices[rows], piece - piece[0]
                    csr = Csr(parts, shape=(stop - start, users.rows.shape[0]))
                    yield RowBlock(number, users.first, csr).to_batch()


def _joined(bounds: Any, n_users: int, pieces: pa.Table) -> pa.Table:
    """One block of items from its pieces, which are put in the order of their users."""
    ordered = list(blocks_of(pieces.sort_by("first"), n_users))
    number, n_items = ordered[0].number, ordered[0].rows.shape[0]
    item = np.concatenate([np.repeat(np.arange(n_items), np.diff(each.rows.indptr)) for each in ordered])
    order = np.argsort(item, kind="stable")
    user = np.concatenate([each.rows.indices + np.int32(each.first) for each in ordered])[order]
    weight = np.concatenate([each.rows.data for each in ordered])[order]
    indptr = np.append(0, np.cumsum(np.bincount(item, minlength=n_items))).astype(np.int32)
    block = RowBlock(number, int(bounds[number]), Csr((weight, user, indptr), shape=(n_items, n_users)))
    return pa.Table.from_batches([block.to_batch()], SCHEMA)
