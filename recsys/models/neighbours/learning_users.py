"""Learning users: whom the regression on neighbours learns from; all, or a sample if that would take too long."""

import numpy as np

from recsys.data.arrays import Indices
from recsys.data.matrix import Csr

MOST_STEPS = 1.5e9
"""About ten seconds on two cores; 20 million entries of 140,000 users have several times as many."""

WHOLE_GRAM = 2048
"""Up to this number of items their whole Gram matrix is made, 16 MiB, whatever the number of users."""

FEWEST_USERS = 1_000
"""A sample has as many, however many items they have."""


def learning_users(csr: Csr, neighbours: int, *, most_steps: float = MOST_STEPS) -> Indices | None:
    """int32 (n,): the rows of `csr` (n_users, n_items) with which about `most_steps` are taken; None for all.

    They are drawn at random, the same ones for the same matrix: FEWEST_USERS at least, if so many have an item.
    """
    total = steps_of(csr, neighbours)
    if total <= most_steps:
        return None
    drawn = np.random.default_rng(1).random(csr.shape[0])
    used = np.diff(csr.indptr) > 0
    enough = min(FEWEST_USERS, int(used.sum()))
    below = max(most_steps / total, float(np.sort(drawn[used])[enough - 1]))
    return np.flatnonzero(drawn <= below).astype(np.int32)


def steps_of(csr: Csr, neighbours: int) -> float:
    """The pairs of items that users have, sum_u n_items_of_user^2, and an estimate of those in all small systems."""
    if csr.nnz == 0:
        return 0.0
    of_user = np.diff(csr.indptr).astype(np.float64)
    of_item = np.bincount(csr.indices, minlength=csr.shape[1]).astype(np.float64)
    squares = float(np.square(of_user).sum()), float(np.square(of_item).sum())
    return estimated_steps(csr.shape[1], csr.nnz, neighbours, of_users=squares[0], of_items=squares[1])


def estimated_steps(n_items: int, entries: int, neighbours: int, *, of_users: float, of_items: float) -> float:
    """The same from counts. `of_users`, `of_items`: sums of n_items_of_user^2 and of n_users_of_item^2.

    The neighbours of an item are about as popular as the item of an average entry. A user of one of them has the
    others a few times (5) as often as chance would have it.
    """
    if n_items <= WHOLE_GRAM:
        return of_users
    users_of_neighbour, items_of_user = of_items / entries, of_users / entries
    others = min(neighbours, 5 * neighbours * items_of_user / n_items)
    return of_users + n_items * (neighbours + 1) * users_of_neighbour * (1 + others / 2)
