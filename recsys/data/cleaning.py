"""Cleaning: events become matrix entries; every removed event is counted by reason."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.config import PrepareConfig
from recsys.data.arrays import Indices
from recsys.data.event_weights import EventWeights
from recsys.data.id_map import IdMap
from recsys.data.interactions import Interactions
from recsys.data.matrix import Csr, InteractionMatrix
from recsys.data.pairs import Pairs, run_starts
from recsys.errors import DataError

logger = logging.getLogger(__name__)

USER_ABOVE_MAX_EVENTS = "user_above_max_events"
NET_NON_POSITIVE = "net_non_positive"
DECAYED_AWAY = "decayed_away"
USER_BELOW_MIN_ITEMS = "user_below_min_items"
ITEM_BELOW_MIN_USERS = "item_below_min_users"

_SETTINGS = {
    USER_ABOVE_MAX_EVENTS: "prepare.max_user_events",
    NET_NON_POSITIVE: "log.non_positive",
    DECAYED_AWAY: "prepare.half_life_days",
    USER_BELOW_MIN_ITEMS: "prepare.min_user_items",
    ITEM_BELOW_MIN_USERS: "prepare.min_item_users",
}


@dataclass(frozen=True)
class CleaningSummary:
    """What became of the events.

    `events_in`: rows of the input; `events_kept`: rows that make up the entries; `entries`: distinct (user, item)
    pairs. `removed`: rows by reason; events_in = events_kept + all of them, else DataError. The reasons, in the order
    in which they are checked:

    user_above_max_events   the user has more than `prepare.max_user_events` events
    net_non_positive        the user's events with the item sum to zero or less (returns)
    decayed_away            the events are so old that their weight is zero in float32
    user_below_min_items    the user has fewer than `prepare.min_user_items` items
    item_below_min_users    the item has fewer than `prepare.min_item_users` users

    `n_users`, `n_items`: of the matrix. Of the other users `n_folded_in` have items of the matrix, `n_bots` have too
    many events, and of `n_without_history` no event with an item of the matrix counts.
    """

    events_in: int
    events_kept: int
    entries: int
    removed: Mapping[str, int]
    n_users: int
    n_items: int
    n_folded_in: int = 0
    n_bots: int = 0
    n_without_history: int = 0

    def __post_init__(self) -> None:
        if self.events_in != self.events_kept + sum(self.removed.values()):
            raise DataError(f"cleaning: {self.events_in} events do not add up: {self.to_dict()}")

    @property
    def n_people(self) -> int:
        """All users of the log."""
        return self.n_users + self.n_folded_in + self.n_bots + self.n_without_history

    def to_dict(self) -> dict[str, object]:
        """The summary as plain values, for JSON."""
        return {**vars(self), "removed": dict(self.removed)}


@dataclass(frozen=True, eq=False)
class Cleaned:
    """The entries to train on, those of users who are not trained on, and what became of the events.

    `matrix`: the k-core. `folded_in`: over the items of `matrix`, the users whom the k-core left out and who have any
    of these items; their vectors can be folded in.
    """

    matrix: InteractionMatrix
    folded_in: InteractionMatrix
    summary: CleaningSummary


def build_matrix(
    events: Interactions, prepare: PrepareConfig, *, weights: EventWeights
) -> tuple[InteractionMatrix, CleaningSummary]:
    """The matrix and the summary of `clean`."""
    cleaned = clean(events, prepare, weights=weights)
    return cleaned.matrix, cleaned.summary


def clean(events: Interactions, prepare: PrepareConfig, *, weights: EventWeights) -> Cleaned:
    """Leave out users with too many events, weigh and merge the rest, and cut to the k-core.

    `prepare`: the bounds on users and items. `weights`: how events become weights; with `weights.net`, values at or
    below zero are accepted. The id maps hold only the ids that remain, in their order in `events`.
    Raises ConfigError if the weights need a column that is missing; DataError for a value at or below zero without
    `weights.net`, and if nothing is left, with the setting behind each removal.
    """
    weighed = weigh_pairs(events, prepare, weights=weights)
    positive, n_people, n_bots = weighed.pairs, weighed.n_people, weighed.n_bots
    removed = weighed.removed
    del weighed
    pairs, below = k_core(positive, min_user_items=prepare.min_user_items, min_item_users=prepare.min_item_users)
    removed = counted_reasons({**removed, **below})
    if len(pairs) == 0:
        raise DataError(nothing_left(len(events), removed))
    left_out = _of_other_users(positive, pairs, n_users=len(events.users), n_items=len(events.items))
    del positive
    kept_items, _ = _renumbered(pairs.item_idx)
    matrix, folded_in = (_matrix(each, events.users, events.items, kept_items) for each in (pairs, left_out))
    summary = CleaningSummary(
        events_in=len(events),
        events_kept=int(pairs.n_events.sum(dtype=np.int64)),
        entries=len(pairs),
        removed=removed,
        n_users=matrix.n_users,
        n_items=matrix.n_items,
        n_folded_in=folded_in.n_users,
        n_bots=n_bots,
        n_without_history=n_people - matrix.n_users - folded_in.n_users,
    )
    logger.info("cleaning: %s", summary.to_dict())
    return Cleaned(matrix, folded_in, summary)


@dataclass(frozen=True, eq=False)
class WeighedPairs:
    """The pairs above zero of users who have not too many events, and what was left out before.

    `removed`: events by reason, zeros among them. `n_people`: users within the bound on events; `n_bots`: the others.
    """

    pairs: Pairs
    removed: Mapping[str, int]
    n_people: int
    n_bots: int


def weigh_pairs(events: Interactions, prepare: PrepareConfig, *, weights: EventWeights) -> WeighedPairs:
    """What `clean` does before the k-core, also of the events of some of the users. Raises as `clean`."""
    _check_values(events, weights)
    kept, n_removed, n_bots = _without_bots(events, prepare.max_user_events)
    merged = weights.merge(kept)
    del kept
    n_people = len(run_starts(merged.user_idx))
    positive, n_gone = _positive(merged)
    reason = NET_NON_POSITIVE if weights.net else DECAYED_AWAY
    return WeighedPairs(positive, {USER_ABOVE_MAX_EVENTS: n_removed, reason: n_gone}, n_people, n_bots)


def counted_reasons(removed: Mapping[str, int]) -> dict[str, int]:
    """The counts above zero, in the order in which the reasons are checked."""
    return {reason: removed[reason] for reason in _SETTINGS if removed.get(reason)}


def build_history(events: Interactions, weights: EventWeights) -> InteractionMatrix:
    """The histories of users who are folded in: weighted as in `build_matrix`, without bounds on users and items.

    Raises as `build_matrix` does.
    """
    return build_matrix(events, PrepareConfig(), weights=weights)[0]


def within_max_events(user_idx: Indices, max_user_events: int) -> NDArray[np.bool_]:
    """bool (n,): whether the user of each event has at most `max_user_events` events. `user_idx`: int32 (n,)."""
    return (np.bincount(user_idx) <= max_user_events)[user_idx]


def k_core(pairs: Pairs, *, min_user_items: int, min_item_users: int) -> tuple[Pairs, dict[str, int]]:
    """The largest part in which every user has `min_user_items` items and every item `min_item_users` users.

    Leaves out users, then items, then users again, until nothing changes; the part that remains does not depend
    on this order, the counts by reason do. Returns that part, and the number of events removed by reason.
    """
    removed = {USER_BELOW_MIN_ITEMS: 0, ITEM_BELOW_MIN_USERS: 0}
    while True:
        pairs, n_events = _with_degree(pairs, pairs.user_idx, min_user_items)
        removed[USER_BELOW_MIN_ITEMS] += n_events
        pairs, n_events = _with_degree(pairs, pairs.item_idx, min_item_users)
        removed[ITEM_BELOW_MIN_USERS] += n_events
        if n_events == 0:  # No item was removed, so no user has lost one.
            return pairs, removed


def _with_degree(pairs: Pairs, owner: Indices, min_degree: int) -> tuple[Pairs, int]:
    """The pairs whose owner, int32 (n_pairs,), has `min_degree` pairs or more, and the number of removed events."""
    if min_degree <= 1:
        return pairs, 0
    kept = (np.bincount(owner) >= min_degree)[owner]
    if kept.all():
        return pairs, 0
    return pairs.select(kept), int(pairs.n_events[~kept].sum(dtype=np.int64))


def _check_values(events: Interactions, weights: EventWeights) -> None:
    if not weights.net and len(events) and events.value.min() <= 0:
        raise DataError(f'events: value {events.value.min()}, expected above zero unless log.non_positive = "net"')


def _without_bots(events: Interactions, max_user_events: int | None) -> tuple[Interactions, int, int]:
    """The events of users within the bound, and the number of events and of users that are left out."""
    if max_user_events is None:
        return events, 0, 0
    within = within_max_events(events.user_idx, max_user_events)
    n_removed = len(events) - int(np.count_nonzero(within))
    if n_removed == 0:
        return events, 0, 0
    return events.select(within), n_removed, len(np.unique(events.user_idx[~within]))


def _of_other_users(pairs: Pairs, core: Pairs, *, n_users: int, n_items: int) -> Pairs:
    """The pairs of users who are not in `core` with items that are. `core`: a part of `pairs`."""
    if len(core) == len(pairs):
        return pairs.select(np.zeros(len(pairs), np.bool_))
    trained = np.bincount(core.user_idx, minlength=n_users) > 0
    items = np.bincount(core.item_idx, minlength=n_items) > 0
    return pairs.select(~trained[pairs.user_idx] & items[pairs.item_idx])


def _positive(pairs: Pairs) -> tuple[Pairs, int]:
    positive = pairs.weight > 0
    if positive.all():
        return pairs, 0
    return pairs.select(positive), int(pairs.n_events[~positive].sum(dtype=np.int64))


def nothing_left(n_events: int, removed: Mapping[str, int]) -> str:
    """Why no entry is left of so many events."""
    if n_events == 0:
        return "there are no events, expected at least one"
    causes = ", ".join(f"{count} removed as {reason} ({_SETTINGS[reason]})" for reason, count in removed.items())
    return f"nothing is left of {n_events} events: {causes}"


def _matrix(pairs: Pairs, users: IdMap, items: IdMap, kept_items: Indices) -> InteractionMatrix:
    """The matrix over the items at `kept_items`, int32, ascending, which hold those of `pairs`."""
    column = np.zeros(len(items), np.int32)
    column[kept_items] = np.arange(len(kept_items), dtype=np.int32)
    kept_users, csr = rows_of(pairs, column, n_columns=len(kept_items))
    return InteractionMatrix(users.take(kept_users), items.take(kept_items), csr)


def rows_of(pairs: Pairs, column: Indices, *, n_columns: int) -> tuple[Indices, Csr]:
    """The users of `pairs`, int32 ascending, and a row of each: float32 CSR (n_users, n_columns).

    `column`: int32 (n_items,), of each item, in ascending order.
    """
    kept_users, user_idx = _renumbered(pairs.user_idx)
    indptr = np.append(0, np.cumsum(np.bincount(user_idx))).astype(np.int32)
    return kept_users, Csr((pairs.weight, column[pairs.item_idx], indptr), shape=(len(kept_users), n_columns))


def _renumbered(positions: Indices) -> tuple[Indices, Indices]:
    """The distinct positions in order, and each position's place among them; both int32."""
    used = np.bincount(positions) > 0
    place = np.cumsum(used, dtype=np.int32) - np.int32(1)
    return np.flatnonzero(used).astype(np.int32), place[positions]
