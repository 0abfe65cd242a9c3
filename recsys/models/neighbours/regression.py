"""Ridge regression of each item on its nearest items: EASE restricted to neighbours."""

import logging
import os
from collections.abc import Callable

import numpy as np

from recsys.data.arrays import Floats, Indices
from recsys.data.matrix import Csr, csr_from_pairs, empty_csr, presence
from recsys.map_ordered import map_ordered
from recsys.models.factors.config import NEIGHBOURS
from recsys.models.factors.implicit_input import writeable
from recsys.models.neighbours.learning_users import MOST_STEPS, WHOLE_GRAM, learning_users
from recsys.progress import Progress, silent

USER_DEGREE_EXPONENT = 0.5
"""A user counts n_items_of_user ** -this, so that those with many items do not decide alone."""

_ITEMS_AT_ONCE = 128

logger = logging.getLogger(__name__)


def regress_on_neighbours(
    csr: Csr,
    *,
    neighbours: int = NEIGHBOURS,
    regularization: float = 50.0,
    most_steps: float = MOST_STEPS,
    progress: Progress = silent,
) -> Csr:
    """Canonical float32 CSR (n_items, n_items): what item j of a history (row) adds to the score of item i (column).

    `csr`: canonical (n_users, n_items), of which only the places count, not the values. With r_ui = 1 for a stored
    entry, s_u = 1 / sqrt(n_items_of_user) and N(i) the `neighbours` items with the largest
    sum_u s_u r_ui r_uj / sqrt(sum_u s_u r_uj), column i holds the w >= 0 of

        minimum over w of  sum_u s_u (r_ui - sum over j in N(i) of w_j r_uj)^2  +  lambda |w|^2

    after values of 0 or less are left out. lambda is `regularization` times the mean s_u of an entry. Without the
    restriction to N(i) and with s_u = 1 this is EASE: Steck, "Embarrassingly Shallow Autoencoders for Sparse Data"
    (2019); the restriction makes a problem of `neighbours` unknowns of each column, as in Steck, "Markov Random
    Fields for Collaborative Filtering" (2019). The result is the same to the bit for any number of threads.
    If that takes more than `most_steps`, counted before, the weights are learned from
    a sample of the users, see `learning_users`.
    """
    if (users := learning_users(csr, neighbours, most_steps=most_steps)) is not None:
        logger.info("neighbours: learned from %d of %d users", len(users), csr.shape[0])
        csr = csr[users]
    if csr.nnz == 0:
        return empty_csr((csr.shape[1], csr.shape[1]))
    found, weights = _solved(csr, min(neighbours, csr.shape[1]), regularization, progress)
    target, at = np.nonzero(weights > 0)
    shape = (csr.shape[1], csr.shape[1])
    return csr_from_pairs(found[target, at], target.astype(np.int32), weights[target, at], shape)


def _solved(csr: Csr, neighbours: int, regularization: float, progress: Progress) -> tuple[Indices, Floats]:
    """Neighbours int32 (n_items, neighbours) and their weights float32, zero where there are fewer."""
    n_items = csr.shape[1]
    share = (np.maximum(np.diff(csr.indptr), 1) ** -USER_DEGREE_EXPONENT).astype(np.float32)
    squares: Floats = presence(csr).T @ share
    scale = (1 / np.sqrt(np.maximum(squares, np.finfo(np.float32).tiny))).astype(np.float32)
    penalty = np.float32(regularization * squares.sum(dtype=np.float64) / csr.nnz)
    found, weights = np.zeros((n_items, neighbours), np.int32), np.zeros((n_items, neighbours), np.float32)
    solve_rows = _solver(csr, share, scale, penalty)

    def solve(start: int) -> int:
        stop = min(start + _ITEMS_AT_ONCE, n_items)
        solve_rows(start, stop, found, weights)
        return stop

    for done in map_ordered(solve, range(0, n_items, _ITEMS_AT_ONCE), threads=os.cpu_count()):
        progress("neighbours", done, n_items)
    return found, weights


def _solver(
    csr: Csr, share: Floats, scale: Floats, penalty: np.float32
) -> Callable[[int, int, Indices, Floats], None]:
    """(start, stop, found, weights) -> fills these rows, see `solve_items`."""
    from recsys.models.neighbours.regression_kernel import (  # noqa: PLC0415  (imports numba)
        solve_items,
        solve_items_of_gram,
    )

    if csr.shape[1] <= WHOLE_GRAM:
        weighed = Csr((np.repeat(share, np.diff(csr.indptr)), csr.indices, csr.indptr), shape=csr.shape)
        items, gram = presence(csr).T.tocsr(), np.empty((csr.shape[1], csr.shape[1]), np.float32)
        for start in range(0, len(gram), _ITEMS_AT_ONCE):  # a sparse product takes three times as much as a dense one
            gram[start : start + _ITEMS_AT_ONCE] = (items[start : start + _ITEMS_AT_ONCE] @ weighed).toarray()
        return lambda *rows: solve_items_of_gram(gram, scale, penalty, *rows)
    by_user, by_item = _places(csr), _places(csr.T.tocsr())
    return lambda *rows: solve_items(by_user, by_item, share, scale, penalty, *rows)


def _places(csr: Csr) -> tuple[Indices, Indices]:
    unlocked = writeable(csr)  # numba compiles once more for arrays that are read-only
    return unlocked.indptr, unlocked.indices
