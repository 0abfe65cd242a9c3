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
from recsys.data.pairs import Pairs
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
    """

    events_in: int
    events_kept: int
    entries: int
    removed: Mapping[str, int]
    n_users: int
    n_items: int

    def __post_init__(self) -> None:
        if self.events_in != self.events_kept + sum(self.removed.values()):
            raise DataError(f"cleaning: {self.events_in} events do not add up: {self.to_dict()}")

    def to_dict(self) -> dict[str, object]:
        """The summary as plain values, for JSON."""
        return {**vars(self), "removed": dict(self.removed)}


def build_matrix(
    events: Interactions, prepare: PrepareConfig, *, weights: EventWeights
) -> tuple[InteractionMatrix, CleaningSummary]:
    """Leave out users with too many events, weigh and merge the rest, and cut to the k-core.

    `prepare`: the bounds on users and items. `weights`: how events become weights; with `weights.net`, values at or
    below zero are accepted. The id maps hold only the ids that remain, in their order in `events`.
    Raises ConfigError if the weights need a column that is missing; DataError for a value at or below zero without
    `weights.net`, and if nothing is left, with the setting behind each removal.
    """
    _check_values(events, weights)
    removed = dict.fromkeys(_SETTINGS, 0)
    kept, removed[USER_ABOVE_MAX_EVENTS] = _without_bots(events, prepare.max_user_events)
    merged = weights.merge(kept)
    del kept
    pairs, removed[NET_NON_POSITIVE if weights.net else DECAYED_AWAY] = _positive(merged)
    pairs, below = k_core(pairs, min_user_items=prepare.min_user_items, min_item_users=prepare.min_item_users)
    removed = {reason: count for reason, count in (removed | below).items() if count}
    if len(pairs) == 0:
        raise DataError(_nothing_left(len(events), removed))
    matrix = _matrix(pairs, events.users, events.items)
    kept_events = int(pairs.n_events.sum(dtype=np.int64))
    summary = CleaningSummary(len(events), kept_events, len(pairs), removed, matrix.n_users, matrix.n_items)
    logger.info("cleaning: %s", summary.to_dict())
    return matrix, summary


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


def _without_bots(events: Interactions, max_user_events: int | None) -> tuple[Interactions, int]:
    if max_user_events is None:
        return events, 0
    within = within_max_events(events.user_idx, max_user_events)
    n_removed = len(events) - int(np.count_nonzero(within))
    return (events.select(within) if n_removed else events), n_removed


def _positive(pairs: Pairs) -> tuple[Pairs, int]:
    positive = pairs.weight > 0
    if positive.all():
        return pairs, 0
    return pairs.select(positive), int(pairs.n_events[~positive].sum(dtype=np.int64))


def _nothing_left(n_events: int, removed: Mapping[str, int]) -> str:
    if n_events == 0:
        return "there are no events, expected at least one"
    causes = ", ".join(f"{count} removed as {reason} ({_SETTINGS[reason]})" for reason, count in removed.items())
    return f"nothing is left of {n_events} events: {causes}"


def _matrix(pairs: Pairs, users: IdMap, items: IdMap) -> InteractionMatrix:
    kept_users, user_idx = _renumbered(pairs.user_idx)
    kept_items, item_idx = _renumbered(pairs.item_idx)
    indptr = np.append(0, np.cumsum(np.bincount(user_idx))).astype(np.int32)
    csr = Csr((pairs.weight, item_idx, indptr), shape=(len(kept_users), len(kept_items)))
    return InteractionMatrix(users.take(kept_users), items.take(kept_items), csr)


def _renumbered(positions: Indices) -> tuple[Indices, Indices]:
    """The distinct positions in order, and each position's place among them; both int32."""
    used = np.bincount(positions) > 0
    place = np.cumsum(used, dtype=np.int32) - np.int32(1)
    return np.flatnonzero(used).astype(np.int32), place[positions]
