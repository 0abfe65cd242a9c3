"""The k-core of pairs that lie in chunks of whole users: only items are known across chunks.

Which users are in the core of a round follows from the items of the round before, so no state of users is kept. What
is removed, and under which reason, is what `recsys.data.cleaning.k_core` removes in the same round.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from recsys.config import PrepareConfig
from recsys.data.arrays import Bools, Indices
from recsys.data.cleaning import ITEM_BELOW_MIN_USERS, USER_BELOW_MIN_ITEMS
from recsys.data.pairs import Pairs
from recsys.spark.pair_files import PairChunk, PairFiles
from recsys.spark.tallies import Tallies, Tally, tally, tally_tasks

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

BELOW, ITEMS, CHUNKS = "below", "items", "chunks"
"""Kinds of tallies: events of users who leave the core in this round; by item, pairs (n) and events (m) of the core;
by chunk, users (n) and pairs (m) of the core."""


@dataclass(frozen=True)
class Round:
    """One round: `wanted`, `before`: npy files, bool (n_items,), of the items that are left after the last round and
    after the one before it; None for all.
    """

    wanted: Path | None
    before: Path | None
    min_user_items: int

    def core(self, chunk: PairChunk) -> Pairs:
        """The pairs of the users who are left, with the items that are left."""
        pairs = _with_items(chunk.pairs, _mask(self.wanted))
        return pairs.select(_enough(pairs, chunk.n_users, self.min_user_items)[pairs.user_idx])

    def tallies(self, chunk: PairChunk) -> Iterator[pa.RecordBatch]:
        """What is left of a chunk, and the events that leave it."""
        inside, core = _with_items(chunk.pairs, _mask(self.wanted)), self.core(chunk)
        were_in = _enough(_with_items(chunk.pairs, _mask(self.before)), chunk.n_users, self._min_before)
        left = were_in[inside.user_idx]
        n_left = int(inside.n_events[left].sum(dtype=np.int64)) - int(core.n_events.sum(dtype=np.int64))
        yield tally(BELOW, 0, n_left)
        pairs_of = np.bincount(core.item_idx)
        used = np.flatnonzero(pairs_of)
        events_of = np.bincount(core.item_idx, weights=core.n_events, minlength=len(pairs_of))
        yield tally(ITEMS, used, pairs_of[used], events_of[used].astype(np.int64))
        yield tally(CHUNKS, chunk.number, len(np.unique(core.user_idx)), len(core))

    @property
    def _min_before(self) -> int:
        """Before the first round every user is in."""
        return 0 if self.wanted is None else self.min_user_items


@dataclass(frozen=True, eq=False)
class Core:
    """The core: `last`: its round. `items`: int32 ascending, `degree`, `events`: pairs and events of each, int64.

    `chunks`: users and pairs by chunk. `removed`: events by reason, zeros among them.
    """

    last: Round
    items: Indices
    degree: np.ndarray[tuple[int], np.dtype[np.int64]]
    events: np.ndarray[tuple[int], np.dtype[np.int64]]
    chunks: Tally
    removed: dict[str, int]


def find_core(
    spark: "SparkSession", pairs: PairFiles, prepare: PrepareConfig, first: Tallies, *, n_items: int, scratch: Path
) -> Core:
    """Leave out users, then items, until no item is left out. `first`: the tallies of the first round."""
    now, found, wanted = Round(None, None, prepare.min_user_items), first, np.ones(n_items, np.bool_)
    removed = {USER_BELOW_MIN_ITEMS: 0, ITEM_BELOW_MIN_USERS: 0}
    for number in range(1, n_items + 2):
        removed[USER_BELOW_MIN_ITEMS] += found.total(BELOW)
        degree, events = (found[ITEMS].dense(n_items, column) for column in ("n", "m"))
        wanted = degree >= max(prepare.min_item_users, 1)
        n_left_out = int(events[~wanted].sum())
        removed[ITEM_BELOW_MIN_USERS] += n_left_out
        if n_left_out == 0:
            break
        mask = scratch / f"items-{number}.npy"
        np.save(mask, wanted, allow_pickle=False)
        now = Round(mask, now.wanted, prepare.min_user_items)
        found = tally_tasks(spark, pairs.n_files, partial(_round, pairs, now), doing="while the k-core was found")
    items = np.flatnonzero(wanted).astype(np.int32)
    return Core(now, items, degree[items], events[items], found[CHUNKS], removed)


def _round(pairs: PairFiles, now: Round, file: int) -> Iterator[pa.RecordBatch]:
    for chunk in pairs.chunks(file):
        yield from now.tallies(chunk)


def _mask(path: Path | None) -> Bools | None:
    return None if path is None else np.load(path, mmap_mode="r", allow_pickle=False)


def _with_items(pairs: Pairs, wanted: Bools | None) -> Pairs:
    return pairs if wanted is None else pairs.select(np.asarray(wanted[pairs.item_idx]))


def _enough(pairs: Pairs, n_users: int, least: int) -> Bools:
    """bool (n_users,): the users with `least` pairs or more."""
    return np.bincount(pairs.user_idx, minlength=n_users) >= least
