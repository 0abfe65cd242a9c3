"""Popularity now: what lists without a user rank by; decayed or of a recent window, so that it follows the log."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from recsys.config import PrepareConfig
from recsys.data.arrays import Doubles, Floats
from recsys.data.event_weights import decay
from recsys.data.interactions import Interactions
from recsys.data.matrix import Csr, InteractionMatrix, csr_from_pairs, presence
from recsys.data.pairs import Pairs, merge_events

MIN_EVENTS = 1_000
"""A window with fewer events is doubled until it has as many, or is the whole log."""

_SMALLEST = np.finfo(np.float32).tiny


def current_popularity(
    events: Interactions, matrices: Sequence[InteractionMatrix], prepare: PrepareConfig, *, now: int | None
) -> Floats:
    """float32 (n_items,): how popular each item is at `now`, UTC seconds; 0 only for items without entries.

    `matrices`: made of `events`, over the same items; every entry counts as one user of its item. `now`: None if the
    events have no times; then popularity is the number of users. Otherwise it is

        with prepare.half_life_days:  sum over users of 0.5 ** (age of their newest event with the item / half-life)
        otherwise:                    users within prepare.popular_window + users / (1 + most users of any item)

    so that items that nobody took within the window follow in the order of all their users. A value, quantity or
    number of events changes nothing: one user cannot make an item popular.
    """
    if now is None or events.timestamp is None:
        return popularity_counts(events, matrices, prepare, now=None, since=0).popularity(prepare)
    timestamp = events.timestamp
    since = first_second(
        prepare.popular_window,
        now=now,
        oldest=int(timestamp.min(initial=now)),
        n_events=len(timestamp),
        n_after=lambda second: int(np.count_nonzero(timestamp > second)),
    )
    return popularity_counts(events, matrices, prepare, now=now, since=since).popularity(prepare)


@dataclass(frozen=True, eq=False)
class PopularityCounts:
    """Sums over users, float64 (n_items,): those of all the users of a log are the sums of those of its parts.

    `users`: entries of each item. `current`: those that are recent, or weighed by their age; None without times.
    """

    users: Doubles
    current: Doubles | None

    def popularity(self, prepare: PrepareConfig) -> Floats:
        """float32 (n_items,): as `current_popularity` says."""
        if self.current is None:
            return _floats(self.users)
        if prepare.half_life_days is None:
            return _floats(self.current + self.users / (1 + self.users.max(initial=0)))
        return _floats(np.where(self.users > 0, np.maximum(self.current, _SMALLEST), self.current))


def popularity_counts(
    events: Interactions,
    matrices: Sequence[InteractionMatrix],
    prepare: PrepareConfig,
    *,
    now: int | None,
    since: int,
) -> PopularityCounts:
    """The sums over the users of `events`, who may be some of those of the log.

    `since`: UTC seconds as of `first_second`; used if `now` is not None and nothing decays.
    """
    users: Doubles = np.sum(
        [np.bincount(matrix.csr.indices, minlength=matrix.n_items) for matrix in matrices], axis=0, dtype=np.float64
    )
    if now is None or events.timestamp is None:
        return PopularityCounts(users, None)
    if prepare.half_life_days is not None:
        freshness = decay(events.timestamp, prepare.half_life_days, now)
        return PopularityCounts(users, _summed(merge_events(events, freshness, "max"), events, matrices))
    recent = events.select(events.timestamp > since)
    once = merge_events(recent, np.ones(len(recent), np.float32), "max")
    return PopularityCounts(users, _summed(once, recent, matrices))


def first_second(window: int, *, now: int, oldest: int, n_events: int, n_after: Callable[[int], int]) -> int:
    """The first second before the window that ends at `now`, which is doubled until it holds enough events.

    `oldest`: UTC seconds of the oldest of `n_events`. `n_after`: how many of them are later than a second.
    """
    enough = min(MIN_EVENTS, n_events)
    while now - window >= oldest and n_after(now - window) < enough:
        window *= 2
    return now - window


def _summed(pairs: Pairs, events: Interactions, matrices: Sequence[InteractionMatrix]) -> Doubles:
    """float64 (n_items,): the weights of the pairs of `events` that are entries of one of the matrices."""
    summed: Doubles = np.sum([_within(matrix, pairs, events) for matrix in matrices], axis=0)
    return summed


def _within(matrix: InteractionMatrix, pairs: Pairs, events: Interactions) -> Doubles:
    user_at, user_known = matrix.users.lookup(events.users)
    item_at, item_known = matrix.items.lookup(events.items)
    known = user_known[pairs.user_idx] & item_known[pairs.item_idx]
    row, column = user_at[pairs.user_idx[known]], item_at[pairs.item_idx[known]]
    weights = csr_from_pairs(row, column, pairs.weight[known], matrix.csr.shape)
    entries = Csr(weights.multiply(presence(matrix.csr)))
    total: Doubles = np.bincount(entries.indices, weights=entries.data, minlength=matrix.n_items).astype(np.float64)
    return total


def _floats(popularity: Doubles) -> Floats:
    return np.asarray(popularity, np.float32)
