"""Popularity bands: the catalogue in three parts that hold equal shares of the training pairs."""

import numpy as np
from numpy.typing import NDArray

from recsys.evaluation.metrics import Bools, Integers, Values, prefix_sums, ratio

BANDS = ("head", "mid", "tail")
"""From the most popular items to the least."""


def popularity_bands(n_users_of_item: Integers) -> NDArray[np.int8]:
    """int8 (n_items,): each item's place in BANDS. `n_users_of_item`: int (n_items,), training users.

    With the items in the order of their training users, most first, an item is of the head, the middle or the tail
    where the items before it hold less than a third, less than two thirds, or more of all training pairs. Equal
    items stand in the order of their positions, so some of them may fall on either side of a bound.
    """
    order = np.argsort(-n_users_of_item.astype(np.int64), kind="stable")
    ranked = n_users_of_item[order].astype(np.int64)
    before = np.cumsum(ranked) - ranked
    bands = np.empty(len(order), np.int8)
    bands[order] = np.minimum(before * len(BANDS) // max(int(ranked.sum()), 1), len(BANDS) - 1)
    return bands


def recall_of_band(hits: Bools, n_relevant: Integers, cutoffs: tuple[int, ...]) -> Values:
    """float64 (n, len(cutoffs)): hits of the band in the first k / min(k, n_relevant); NaN where that is zero.

    `hits`: bool (n, width), the places that hold a relevant item of the band. `n_relevant`: int (n,), how many
    items of the band are relevant to the user.
    """
    return ratio(prefix_sums(hits, cutoffs), np.minimum(cutoffs, n_relevant[:, None]).astype(np.float64))
