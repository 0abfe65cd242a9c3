"""Ridge regression of each item on its nearest items: EASE restricted to neighbours."""

import logging
import os

import numpy as np

from recsys.data.arrays import Floats, Indices
from recsys.data.matrix import Csr, csr_from_pairs, empty_csr, presence
from recsys.map_ordered import map_ordered
from recsys.models.factors.implicit_input import writeable
from recsys.progress import Progress, silent

USER_DEGREE_EXPONENT = 0.5
"""A user counts n_items_of_user ** -this, so that those with many items do not decide alone."""

MOST_STEPS = 1.5e9
"""About ten seconds on two cores; 20 million entries of 140,000 users have five times as many."""

_ITEMS_AT_ONCE = 128

logger = logging.getLogger(__name__)


def regress_on_neighbours(
    csr: Csr,
    *,
    neighbours: int = 50,
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
    If the pairs of items that users have, sum_u n_items_of_user^2, are more than `most_steps`, the weights are
    learned from a sample of the users with about that many.
    """
    csr = _bounded(csr, most_steps)
    if csr.nnz == 0:
        return empty_csr((csr.shape[1], csr.shape[1]))
    found, weights = _solved(csr, min(neighbours, csr.shape[1]), regularization, progress)
    target, at = np.nonzero(weights > 0)
    shape = (csr.shape[1], csr.shape[1])
    return csr_from_pairs(found[target, at], target.astype(np.int32), weights[target, at], shape)


def _bounded(csr: Csr, most_steps: float) -> Csr:
    """`csr`, or the rows of a sample of its users with about `most_steps` pairs of items."""
    steps = float(np.square(np.diff(csr.indptr), dtype=np.float64).sum())
    if steps <= most_steps:
        return csr
    sampled = np.flatnonzero(np.random.default_rng(1).random(csr.shape[0]) < most_steps / steps)
    logger.info("neighbours: learned from %d of %d users", len(sampled), csr.shape[0])
    return csr[sampled]


def _solved(csr: Csr, neighbours: int, regularization: float, progress: Progress) -> tuple[Indices, Floats]:
    """Neighbours int32 (n_items, neighbours) and their weights float32, zero where there are fewer."""
    from recsys.models.neighbours.regression_kernel import solve_items  # noqa: PLC0415  (imports numba)

    n_items = csr.shape[1]
    share = (np.maximum(np.diff(csr.indptr), 1) ** -USER_DEGREE_EXPONENT).astype(np.float32)
    squares: Floats = presence(csr).T @ share
    scale = (1 / np.sqrt(np.maximum(squares, np.finfo(np.float32).tiny))).astype(np.float32)
    by_user, by_item = _places(csr), _places(csr.T.tocsr())
    penalty = np.float32(regularization * squares.sum(dtype=np.float64) / csr.nnz)
    found, weights = np.zeros((n_items, neighbours), np.int32), np.zeros((n_items, neighbours), np.float32)

    def solve(start: int) -> int:
        stop = min(start + _ITEMS_AT_ONCE, n_items)
        solve_items(by_user, by_item, share, scale, penalty, start, stop, found, weights)
        return stop

    for done in map_ordered(solve, range(0, n_items, _ITEMS_AT_ONCE), threads=os.cpu_count()):
        progress("neighbours", done, n_items)
    return found, weights


def _places(csr: Csr) -> tuple[Indices, Indices]:
    unlocked = writeable(csr)  # numba compiles once more for arrays that are read-only
    return unlocked.indptr, unlocked.indices
