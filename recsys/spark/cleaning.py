"""Cleaning on Spark: the events of a log become a matrix in blocks, by the rules of `recsys.data.cleaning`.

Every chunk of whole users is weighed and merged by the local functions. Only counts of items cross chunks.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from recsys.config import PrepareConfig
from recsys.data.arrays import Indices
from recsys.data.cleaning import CleaningSummary, counted_reasons, nothing_left, rows_of
from recsys.data.event_weights import EventWeights
from recsys.data.matrix import Csr
from recsys.errors import ConfigError, DataError
from recsys.spark.core import Core, Round, find_core
from recsys.spark.event_files import EventFiles
from recsys.spark.pair_files import (
    BOTS,
    EVENTS,
    PEOPLE,
    REMOVED,
    PairChunk,
    PairFiles,
    Take,
    Weighing,
    every_event,
)
from recsys.spark.row_blocks import BlocksShape, RowBlock, StoredBlocks
from recsys.spark.row_parts import RowParts
from recsys.spark.tallies import Tallies, tally, tally_tasks
from recsys.spark.transposing import transposed

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

logger = logging.getLogger(__name__)

FOLDED = "folded"
"""A kind of tallies: users who are folded in (n), and their entries (m)."""

_UNKNOWN = BlocksShape(0, 0, 0, 0)

Columns = Callable[[Indices], tuple[Indices, int]]
"""The columns of the items at positions, int32 (n,) ascending: int32 (n,) ascending, and the number of columns."""


@dataclass(frozen=True, eq=False)
class SparkCleaned:
    """What `recsys.data.cleaning.Cleaned` is, in blocks.

    `users`: the k-core, a block per chunk of users; `items`: its transpose. `user_positions`: npy file, int32
    ascending, the users of its rows among those of the log. `item_positions`: int32 ascending, the items of the
    k-core among those of the log. `trained`, `folded_in`: the rows of the k-core and those of the users who are
    folded in, a part per chunk of users.
    """

    users: StoredBlocks
    items: StoredBlocks
    user_positions: Path
    item_positions: Indices
    trained: RowParts
    folded_in: RowParts
    folded_in_entries: int
    summary: CleaningSummary


def clean_events(
    spark: "SparkSession",
    events: EventFiles,
    prepare: PrepareConfig,
    weights: EventWeights,
    *,
    scratch: Path,
    block_entries: int,
    take: Take | None = None,
    columns: Columns | None = None,
) -> SparkCleaned:
    """Clean the events as `recsys.data.cleaning.clean` does, in blocks of about `block_entries` entries.

    `weights`: its `now` is given if events decay. `scratch`: a folder that executors see too; all is made in it.
    `take`: picks the events of each chunk that count, by default all; it is pickled. `columns`: of the items of the
    k-core, by default their places among these. Raises as `clean`, and ComputeError if Spark fails.
    """
    if weights.half_life_days is not None and weights.now is None:
        raise ConfigError("prepare.half_life_days: given, but not when decay starts")
    pairs = PairFiles(scratch / "pairs", len(events.files))
    weighing = Weighing(events, take or every_event, prepare, weights, block_entries)
    first = tally_tasks(
        spark, pairs.n_files, partial(_weigh, weighing, pairs), doing="while events were weighed and merged"
    )
    core = find_core(spark, pairs, prepare, first, n_items=len(events.items), scratch=scratch)
    removed = _removed(first, core)
    if not len(core.items):
        raise DataError(nothing_left(first.total(EVENTS), removed))
    column, n_columns = (columns or _own_places)(core.items)
    cut = _Cut.of(core, column, n_columns, n_items=len(events.items), scratch=scratch)
    rest = tally_tasks(
        spark, pairs.n_files, partial(_write, pairs, cut), doing="while the matrix was cut into blocks"
    )
    shape = BlocksShape(cut.n_users, n_columns, int(core.degree.sum()), len(cut.numbers))
    users = StoredBlocks(scratch / "users", shape)
    users.write_shape()
    degree = np.zeros(n_columns, np.int64)
    degree[column] = core.degree
    return SparkCleaned(
        users=users,
        items=transposed(spark, users, degree, folder=scratch / "items", block_entries=block_entries),
        user_positions=cut.trained.join_users(scratch / "users.npy"),
        item_positions=core.items,
        trained=cut.trained,
        folded_in=cut.folded_in,
        folded_in_entries=rest.total(FOLDED, "m"),
        summary=_summary(first, core, rest, removed),
    )


def _own_places(items: Indices) -> tuple[Indices, int]:
    return np.arange(len(items), dtype=np.int32), len(items)


def _weigh(weighing: Weighing, pairs: PairFiles, file: int) -> Iterator[pa.RecordBatch]:
    """The pairs of a file, and the first round of the k-core."""
    yield from weighing.write(file, pairs)
    first = Round(None, None, weighing.prepare.min_user_items)
    for chunk in pairs.chunks(file):
        yield from first.tallies(chunk)


def _removed(first: Tallies, core: Core) -> dict[str, int]:
    before = {kind.removeprefix(REMOVED): first.total(kind) for kind in first.by_kind if kind.startswith(REMOVED)}
    return counted_reasons({**before, **core.removed})


def _summary(first: Tallies, core: Core, rest: Tallies, removed: dict[str, int]) -> CleaningSummary:
    n_users, n_folded_in = int(core.chunks.n.sum()), rest.total(FOLDED)
    summary = CleaningSummary(
        events_in=first.total(EVENTS),
        events_kept=int(core.events.sum()),
        entries=int(core.degree.sum()),
        removed=removed,
        n_users=n_users,
        n_items=len(core.items),
        n_folded_in=n_folded_in,
        n_bots=first.total(BOTS),
        n_without_history=first.total(PEOPLE) - n_users - n_folded_in,
    )
    logger.info("cleaning: %s", summary.to_dict())
    return summary


@dataclass(frozen=True, eq=False)
class _Cut:
    """How the k-core is cut into blocks. `column`: npy file, int32 (n_items,), -1 for an item without a column.

    `numbers`, `firsts`: of the block of each chunk that has users in the core, and of its first row, by the chunk's
    number.
    """

    core: Round
    column: Path
    n_columns: int
    n_users: int
    numbers: dict[int, int]
    firsts: dict[int, int]
    trained: RowParts
    folded_in: RowParts

    @staticmethod
    def of(core: Core, column: Indices, n_columns: int, *, n_items: int, scratch: Path) -> "_Cut":
        places = np.full(n_items, -1, np.int32)
        places[core.items] = column
        np.save(scratch / "column.npy", places, allow_pickle=False)
        filled = core.chunks.n > 0
        chunks, n_users = core.chunks.key[filled].tolist(), core.chunks.n[filled].tolist()
        return _Cut(
            core=core.last,
            column=scratch / "column.npy",
            n_columns=n_columns,
            n_users=sum(n_users),
            numbers={chunk: number for number, chunk in enumerate(chunks)},
            firsts=dict(zip(chunks, accumulate(n_users, initial=0), strict=False)),
            trained=RowParts(StoredBlocks(scratch / "users", _UNKNOWN).table, scratch / "trained"),
            folded_in=RowParts(scratch / "folded_in" / "blocks", scratch / "folded_in" / "users"),
        )

    def rows(self, chunk: PairChunk) -> tuple[tuple[Indices, Csr], tuple[Indices, Csr]]:
        """The users of the core and their rows; those who are folded in, and theirs."""
        column, core = np.load(self.column, mmap_mode="r", allow_pickle=False), self.core.core(chunk)
        trained = np.zeros(chunk.n_users, np.bool_)
        trained[core.user_idx] = True
        pairs = chunk.pairs
        others = pairs.select(~trained[pairs.user_idx] & (column[pairs.item_idx] >= 0))
        return rows_of(core, column, n_columns=self.n_columns), rows_of(others, column, n_columns=self.n_columns)


def _write(pairs: PairFiles, cut: _Cut, file: int) -> Iterator[pa.RecordBatch]:
    for chunk in pairs.chunks(file):
        trained, folded_in = cut.rows(chunk)
        if len(trained[0]):
            block = RowBlock(cut.numbers[chunk.number], cut.firsts[chunk.number], trained[1])
            cut.trained.write(chunk.number, chunk.first_user + trained[0], block)
        if len(folded_in[0]):
            cut.folded_in.write(chunk.number, chunk.first_user + folded_in[0], RowBlock(0, 0, folded_in[1]))
        yield tally(FOLDED, 0, len(folded_in[0]), folded_in[1].nnz)
