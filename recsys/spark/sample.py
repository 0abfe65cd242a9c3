"""Sample: whole users of a log, or of a matrix, drawn at random, so that the driver can learn from them."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from recsys.data.arrays import Indices
from recsys.data.interactions import Interactions
from recsys.data.loading import damage_named
from recsys.data.matrix import Csr, stacked
from recsys.spark.cells import cells_in
from recsys.spark.event_files import EventFiles
from recsys.spark.failures import named_failures
from recsys.spark.row_blocks import FIRST, SPARK_SCHEMA, RowBlock, StoredBlocks, blocks_of, concatenated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession

_ROOM = 0.9  # users have unequal numbers of events, so a little less than the bound is asked for
_POSITIONS = "positions"
_MIX = tuple(np.uint64(number) for number in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


@dataclass(frozen=True, eq=False)
class Sample:
    """`events`: of the drawn users, all theirs, in the order of the log. `of_events`: how many the log has."""

    events: Interactions
    of_events: int

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole log."""
        return len(self.events) == self.of_events


def sample_events(spark: "SparkSession", files: EventFiles, most: int) -> Sample:
    """Whole users of the log with up to about `most` events in all; the whole log if it has no more."""
    total = len(files)
    if total <= most:
        return read_sample(files, most)
    events = files.read(spark)
    with named_failures("while a sample of the log was drawn"):
        drawn = events.mapInArrow(partial(_drawn_rows, _ROOM * most / total), events.schema).toArrow()
    return _of_users(files, drawn, total)


def read_sample(files: EventFiles, most: int) -> Sample:
    """The same, read by this process alone."""
    total = len(files)
    share = 1.0 if total <= most else _ROOM * most / total
    tables = [pa.Table.from_batches(_drawn_batches(path, share)) for path in files.files]
    table = pa.concat_tables(tables) if tables else files.no_events
    return Sample(files.in_log_order(table), total) if share == 1 else _of_users(files, table, total)


def _drawn_batches(path: Path, share: float) -> list[pa.RecordBatch]:
    with damage_named(path, "Parquet of events"), pq.ParquetFile(path) as opened:
        return list(_drawn_rows(share, opened.iter_batches()))


def _of_users(files: EventFiles, table: pa.Table, total: int) -> Sample:
    """The events in `table`, over the users who have any."""
    found = files.in_log_order(table)
    used = np.flatnonzero(np.bincount(found.user_idx, minlength=len(found.users))).astype(np.int32)
    place = np.searchsorted(used, found.user_idx).astype(np.int32)
    return Sample(replace(found, users=found.users.take(used), user_idx=place), total)


def sample_rows(
    spark: "SparkSession", blocks: StoredBlocks, most: int, *, users: Path | None = None
) -> tuple[Indices, Csr]:
    """Whole rows of a matrix with up to about `most` entries in all; all rows if it has no more.

    `users`: npy file of int32 (n_rows,), the users of the rows in the log: then they are among those that
    `sample_events` draws, or these among them. Returns positions of rows, int32 ascending, and the rows, float32 CSR
    (n, n_columns).
    """
    shape, table = blocks.shape, blocks.read(spark)
    if shape.entries <= most:
        whole = concatenated(blocks_of(table.toArrow(), shape.n_columns))
        return np.arange(whole.shape[0], dtype=np.int32), whole
    draw = partial(_drawn_blocks, _ROOM * most / shape.entries, shape.n_columns, users)
    drawn = table.mapInArrow(draw, f"{_POSITIONS} binary, {SPARK_SCHEMA}").toArrow().sort_by(FIRST)
    position = np.concatenate([np.frombuffer(cell, np.int32) for cell in cells_in(drawn.column(_POSITIONS))])
    return position, stacked([block.rows for block in blocks_of(drawn, shape.n_columns)])


def is_drawn(users: NDArray[np.integer], share: float) -> NDArray[np.bool_]:
    """bool (n,): a random `share` of `users`, positions: the same ones wherever and whenever it is asked."""
    mixed = users.astype(np.uint64)
    with np.errstate(over="ignore"):
        mixed = (mixed + np.uint64(1)) * _MIX[0]
        mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX[1]
        mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX[2]
    return (mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11) < np.uint64(share * 2**53)


def _drawn_rows(share: float, batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
    for batch in batches:
        yield batch if share == 1 else batch.filter(pa.array(is_drawn(batch.column("user").to_numpy(), share)))


def _drawn_blocks(
    share: float, n_columns: int, users: Path | None, batches: "Iterator[pa.RecordBatch]"
) -> "Iterator[pa.RecordBatch]":
    """The drawn rows of each block, and their positions in the matrix."""
    for batch in batches:
        for block in blocks_of(batch, n_columns):
            position = np.arange(block.first, block.first + block.rows.shape[0], dtype=np.int32)
            whose = position if users is None else np.load(users, mmap_mode="r", allow_pickle=False)[position]
            drawn = is_drawn(whose, share)
            cells = RowBlock(block.number, block.first, block.rows[drawn]).to_batch()
            positions = pa.array([position[drawn].tobytes()], pa.binary())
            yield pa.record_batch([positions, *cells.columns], [_POSITIONS, *cells.schema.names])
