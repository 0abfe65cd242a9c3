"""Regularization of EASE, chosen on pairs of the training matrix that are held out from some users."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recsys.data.matrix import Csr, csr_from_pairs
from recsys.retrieval.topk import TopK

VALUES = (20.0, 50.0, 100.0, 250.0, 500.0, 1000.0)
"""What is tried."""

LISTED = 20
"""Length of the lists that are compared."""

_FIRST = 2
_MOST_USERS = 1_000
_HELD_SHARE = 5  # every fifth item of a user, at least one
_MOST_WORK = len(VALUES) * 10_000**3
_SEED = 1


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Some users: float32 CSR (n, n_items) of ones; `whole` is the sum of `kept` and `held`."""

    whole: Csr
    kept: Csr
    held: Csr


def most_values(n_items: int) -> int:
    """How many values may be tried: each costs n_items^3 operations, as much as the fit itself."""
    return int(min(len(VALUES), _MOST_WORK // max(1, n_items) ** 3))


def held_out_pairs(seen: Csr) -> HeldOut | None:
    """A fifth of the items, drawn at random, of up to 1,000 users with at least two; None if there is no such user.

    `seen`: float32 CSR (n_users, n_items) of ones.
    """
    rng = np.random.default_rng(_SEED)
    users = np.flatnonzero(np.diff(seen.indptr) > 1)
    if len(users) == 0:
        return None
    if len(users) > _MOST_USERS:
        users = np.sort(rng.choice(users, _MOST_USERS, replace=False))
    whole = seen[users]
    sizes = np.diff(whole.indptr)
    row = np.repeat(np.arange(len(users), dtype=np.int32), sizes)
    order = np.lexsort((rng.random(whole.nnz), row))
    place_in_row = np.arange(whole.nnz) - np.repeat(whole.indptr[:-1], sizes)
    held = np.empty(whole.nnz, np.bool_)
    held[order] = place_in_row < np.repeat(np.maximum(1, sizes // _HELD_SHARE), sizes)
    kept_part, held_part = (
        csr_from_pairs(row[part], whole.indices[part], whole.data[part], whole.shape) for part in (~held, held)
    )
    return HeldOut(whole, kept_part, held_part)


def quality(lists: TopK, held: Csr) -> float:
    """The mean over users of the gain of a list over that of the best list; a hit at a rank gains 1 / log2(rank + 1).

    `held`: float32 CSR (n, n_items) of ones, at least one per row.
    """
    discount = 1 / np.log2(np.arange(2, lists.k + 2))
    row, rank = np.nonzero(lists.filled)
    listed = csr_from_pairs(
        row.astype(np.int32), lists.indices[lists.filled], discount[rank].astype(np.float32), held.shape
    )
    gained = np.asarray(listed.multiply(held).sum(axis=1)).ravel()
    ideal = np.cumsum(discount)[np.minimum(np.diff(held.indptr), lists.k) - 1]
    return float((gained / ideal).mean())


def climb(quality_of: Callable[[float], float], *, limit: int) -> dict[float, float]:
    """Values to their quality, from the third of VALUES on in the direction in which it rises, until it falls.

    The quality has one peak along the values. `limit`: of the values that are tried, at least 1.
    """
    tried = {VALUES[_FIRST]: quality_of(VALUES[_FIRST])}
    for step in (-1, 1):
        at = _FIRST
        while 0 <= at + step < len(VALUES) and len(tried) < limit:
            value = VALUES[at + step]
            tried[value] = quality_of(value)
            if tried[value] <= tried[VALUES[at]]:
                break
            at += step
        if at != _FIRST:
            break
    return tried
