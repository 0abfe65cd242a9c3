"""Pairs: events of one user with one item are merged into one pair; rows logged twice are found."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Floats, Indices
from recsys.data.interactions import Interactions
from recsys.errors import ConfigError

# A float32 sum whose terms cancel leaves noise of up to this share of the sum of their absolute values.
_CANCELLATION_NOISE = np.float32(1e-6)

_HASH_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_HASH_SHIFT = np.uint64(32)


@dataclass(frozen=True, eq=False)
class Pairs:
    """Distinct (user, item) pairs, sorted by user, then item.

    `user_idx`, `item_idx`: int32 (n,). `weight`: float32 (n,). `n_events`: int32 (n,), rows of the log in each.
    """

    user_idx: Indices
    item_idx: Indices
    weight: Floats
    n_events: Indices

    def __len__(self) -> int:
        return len(self.user_idx)

    def select(self, kept: NDArray[np.bool_]) -> "Pairs":
        """The pairs for which `kept`, bool (n,), is true."""
        return Pairs(self.user_idx[kept], self.item_idx[kept], self.weight[kept], self.n_events[kept])


def merge_events(events: Interactions, weight: Floats, repeats: Literal["sum", "max", "last"] = "sum") -> Pairs:
    """Merge repeated events of a user with an item.

    `weight`: float32 (n,), one per event; may be negative with "sum"; a sum that cancels is exactly 0.
    "max" keeps the largest weight, "last" that of the newest event, of the later row if times are equal.
    Raises ConfigError for "last" if the events have no timestamps.
    """
    if len(events) == 0:
        return Pairs(events.user_idx, events.item_idx, weight, np.zeros(0, np.int32))
    key = pair_keys(events)
    order = _order(events, key, repeats)
    key, weight = key[order], weight[order]
    del order
    starts = run_starts(key)
    user_idx, item_idx = np.divmod(key[starts], len(events.items))
    return Pairs(
        user_idx.astype(np.int32),
        item_idx.astype(np.int32),
        _MERGE[repeats](weight, starts),
        np.diff(starts, append=len(key)).astype(np.int32),
    )


def pair_keys(events: Interactions) -> NDArray[np.int64]:
    """int64 (n,): one number per (user, item) pair, ordered by user, then item."""
    key = events.user_idx.astype(np.int64)
    key *= len(events.items)
    key += events.item_idx
    return key


def run_starts(ordered: NDArray[np.generic]) -> NDArray[np.int64]:
    """int64 (n_runs,): the start of each run of equal values. `ordered`: (n,), equal values next to each other."""
    if len(ordered) == 0:
        return np.zeros(0, np.int64)
    return np.append(0, np.flatnonzero(ordered[1:] != ordered[:-1]) + 1)


def places_in_runs(ordered: NDArray[np.generic]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each element's position in its run, from 0, and the length of that run; both int64 (n,)."""
    starts = run_starts(ordered)
    lengths = np.diff(starts, append=len(ordered))
    return np.arange(len(ordered)) - np.repeat(starts, lengths), np.repeat(lengths, lengths)


def _order(events: Interactions, key: NDArray[np.int64], repeats: str) -> NDArray[np.int64]:
    # A stable order sums every pair in the order of the log, so the same log gives the same bits.
    if repeats != "last":
        return np.argsort(key, kind="stable")
    if events.timestamp is None:
        raise ConfigError('prepare.repeats = "last": needs the times of events; set log.timestamp')
    return np.lexsort((events.timestamp, key))


def _sums(weight: Floats, starts: NDArray[np.int64]) -> Floats:
    total: Floats = np.add.reduceat(weight, starts)
    if weight.min() < 0:
        total[np.abs(total) <= _CANCELLATION_NOISE * np.add.reduceat(np.abs(weight), starts)] = 0
    return total


def _maxima(weight: Floats, starts: NDArray[np.int64]) -> Floats:
    largest: Floats = np.maximum.reduceat(weight, starts)
    return largest


def _lasts(weight: Floats, starts: NDArray[np.int64]) -> Floats:
    newest: Floats = weight[np.append(starts[1:], len(weight)) - 1]
    return newest


_MERGE = {"sum": _sums, "max": _maxima, "last": _lasts}


def hash_rows(columns: Sequence[NDArray[np.generic]]) -> NDArray[np.uint64]:
    """uint64 (n,): one hash per row, equal for equal rows and rarely for others. `columns`: integers (n,) each."""
    hashes = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        hashes ^= column.astype(np.uint64)
        hashes *= _HASH_FACTOR
        hashes ^= hashes >> _HASH_SHIFT
    return hashes


def first_of_equal_rows(
    events: Interactions, *, hashed: Callable[[Sequence[NDArray[np.generic]]], NDArray[np.uint64]] = hash_rows
) -> NDArray[np.bool_]:
    """bool (n,): False for a row that repeats an earlier one in user, item, event and time, if the log has these.

    Sorts one 64-bit hash per row instead of the columns. Rows with equal hashes are compared, so the answer is exact.
    """
    columns = [events.user_idx, events.item_idx, events.timestamp, events.event]
    present = [column for column in columns if column is not None]
    hashes = hashed(present)
    order = np.argsort(hashes, kind="stable")
    candidates = _equal_neighbours(hashes[order])
    repeats = _repeats(present, order, candidates)
    if not repeats.all():
        # Different rows share a hash, and may lie between equal rows: sort by the columns themselves.
        order = np.lexsort(present)
        candidates = np.arange(len(order) - 1)
        repeats = _repeats(present, order, candidates)
    first = np.ones(len(events), np.bool_)
    first[order[candidates[repeats] + 1]] = False
    return first


def _equal_neighbours(ordered: NDArray[np.uint64]) -> NDArray[np.intp]:
    return np.flatnonzero(ordered[1:] == ordered[:-1])


def _repeats(
    columns: Sequence[NDArray[np.generic]], order: NDArray[np.intp], candidates: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """bool (len(candidates),): whether the row at each position in `order` equals the next."""
    equal = np.ones(len(candidates), np.bool_)
    for column in columns:
        equal &= column[order[candidates]] == column[order[candidates + 1]]
    return equal
