"""Sessions: the events of a person without a long pause between them, and their distinct items in order."""

from collections.abc import Callable, Sized
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Floats, Indices
from recsys.data.event_weights import EventWeights
from recsys.data.id_map import IdMap
from recsys.data.interactions import Interactions
from recsys.data.matrix import Csr, InteractionMatrix, csr_from_pairs
from recsys.data.pairs import run_starts

ENOUGH = 100
"""With fewer sessions of two or more items, longer pauses do not end a session either."""

_WIDER_GAPS = (86_400, 7 * 86_400)

Found = TypeVar("Found", bound=Sized)


@dataclass(frozen=True, eq=False)
class Sessions:
    """The distinct items of some sessions, each in the order in which they came.

    `user`: int32 (n,), the user of each session, a position in the id map of the events. `bounds`: int64 (n + 1,),
    where the items of a session start and end. `item`: int32 (n_clicks,), positions in the items of training.
    `weight`: float32 (n_clicks,), above zero, of the first event with the item.
    """

    user: Indices
    bounds: NDArray[np.int64]
    item: Indices
    weight: Floats

    def __len__(self) -> int:
        return len(self.user)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """int64 (n,): items of each session."""
        return np.diff(self.bounds)

    def take(self, sessions: NDArray[np.generic]) -> "Sessions":
        """Those at `sessions`, bool (n,) or positions."""
        kept = np.arange(len(self))[sessions]
        lengths = self.lengths[kept]
        at = np.repeat(self.bounds[kept] - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
        return Sessions(self.user[kept], np.append(0, np.cumsum(lengths)), self.item[at], self.weight[at])

    def split_after(self, n: int | NDArray[np.int64], n_items: int) -> tuple[Csr, Csr]:
        """The first items of each session with their weights, and the others as 1.

        `n`: how many are the first, for all sessions or int64 (n_sessions,). Both results are canonical float32 CSR
        (n_sessions, n_items).
        """
        lengths = self.lengths
        row = np.repeat(np.arange(len(self), dtype=np.int32), lengths)
        first = np.arange(len(self.item)) - np.repeat(self.bounds[:-1], lengths) < np.repeat(
            np.broadcast_to(n, len(self)), lengths
        )
        shape = (len(self), n_items)
        known = csr_from_pairs(row[first], self.item[first], self.weight[first], shape)
        rest = csr_from_pairs(row[~first], self.item[~first], np.ones(int((~first).sum()), np.float32), shape)
        return known, rest


def in_order(events: Interactions, rng: np.random.Generator | None = None) -> Interactions:
    """`events` by user, then time, then row. Without times each user's events come in an order drawn by `rng`."""
    if events.timestamp is not None:
        return events.select(np.lexsort((events.timestamp, events.user_idx)))
    drawn = np.arange(len(events)) if rng is None else rng.permutation(len(events))
    return events.select(drawn[np.argsort(events.user_idx[drawn], kind="stable")])


def session_of(ordered: Interactions, gap: int) -> NDArray[np.int64]:
    """int64 (n,): which session each event belongs to, numbered from 0. `ordered`: of `in_order`.

    A session ends at the user's last event, or before a pause of more than `gap` seconds. Without times a user has
    one session.
    """
    starts = np.zeros(len(ordered), np.bool_)
    starts[run_starts(ordered.user_idx)] = True
    if ordered.timestamp is not None:
        starts[1:] |= np.diff(ordered.timestamp) > gap
    return np.cumsum(starts) - 1


def enough_sessions(found_with: Callable[[int], Found], gap: int) -> tuple[Found, int]:
    """What `found_with` gives for the pause `gap`, for a day or a week if less than ENOUGH is found; and the pause.

    Of several that find too little, the one that finds most.
    """
    tried: list[tuple[Found, int]] = []
    for wider in (gap, *(each for each in _WIDER_GAPS if each > gap)):
        tried.append((found_with(wider), wider))
        if len(tried[-1][0]) >= ENOUGH:
            return tried[-1]
    return max(tried, key=lambda each: len(each[0]))


def distinct_items(
    ordered: Interactions, session: NDArray[np.int64], train: InteractionMatrix, weights: EventWeights
) -> Sessions:
    """The sessions of `ordered` with at least one item that `train` has entries for, without their other items.

    `session`: int64 (n,), ascending, the session of each event. The events have just happened: nothing decays. Events
    with a value of zero or below are left out.
    """
    item_at, known = train.items.lookup(ordered.items)
    known &= (train.item_degree > 0)[item_at]
    weight = replace(weights, half_life_days=None).weigh(ordered)
    kept = np.flatnonzero(known[ordered.item_idx] & (ordered.value > 0) & (weight > 0))
    session, item, weight = session[kept], item_at[ordered.item_idx[kept]], weight[kept]
    _, first = np.unique(session * train.n_items + item, return_index=True)
    first.sort()
    starts = run_starts(session[first])
    return Sessions(
        user=ordered.user_idx[kept][first][starts],
        bounds=np.append(starts, len(first)),
        item=item[first].astype(np.int32),
        weight=weight[first],
    )


def of_users(events: Interactions, users: IdMap) -> Interactions:
    """The events of the `users`, by their ids."""
    _, wanted = users.lookup(events.users)
    return events.select(wanted[events.user_idx])
