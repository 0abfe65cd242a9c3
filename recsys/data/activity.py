"""Activity bounds: users who do too much to be people, users and items with too little to learn from."""

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Indices
from recsys.data.pairs import Pairs

USER_BELOW_MIN_ITEMS = "user_below_min_items"
ITEM_BELOW_MIN_USERS = "item_below_min_users"


def of_users_within(user_idx: Indices, max_user_events: int) -> NDArray[np.bool_]:
    """bool (n,): which events belong to users with at most `max_user_events` of them. `user_idx`: int32 (n,)."""
    return (np.bincount(user_idx) <= max_user_events)[user_idx]


def k_core(pairs: Pairs, *, min_user_items: int, min_item_users: int) -> tuple[Pairs, dict[str, int]]:
    """The largest part in which every user has `min_user_items` items and every item `min_item_users` users.

    Leaves out users, then items, then users again, until nothing changes; the part that remains does not depend
    on the order, the reasons do. Returns it, and the events that went with users and with items below the bound.
    """
    removed = {USER_BELOW_MIN_ITEMS: 0, ITEM_BELOW_MIN_USERS: 0}
    while True:
        pairs, n_events = _with_degree(pairs, pairs.user_idx, min_user_items)
        removed[USER_BELOW_MIN_ITEMS] += n_events
        pairs, n_events = _with_degree(pairs, pairs.item_idx, min_item_users)
        removed[ITEM_BELOW_MIN_USERS] += n_events
        if n_events == 0:  # No item went, so no user has lost one.
            return pairs, removed


def _with_degree(pairs: Pairs, owner: Indices, least: int) -> tuple[Pairs, int]:
    """The pairs whose owner, int32 (n_pairs,), has `least` of them, and the number of events in the others."""
    if least <= 1:
        return pairs, 0
    kept = (np.bincount(owner) >= least)[owner]
    if kept.all():
        return pairs, 0
    return pairs.select(kept), int(pairs.n_events[~kept].sum(dtype=np.int64))
