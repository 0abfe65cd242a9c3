"""EASE: a linear model of all items from all items, in closed form."""

import logging
import time
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, inv
from threadpoolctl import threadpool_limits

from recsys.data.arrays import Floats, read_only
from recsys.data.matrix import Csr, InteractionMatrix, presence
from recsys.errors import ModelError
from recsys.models.memory import available_bytes
from recsys.models.neighbours.nearest import product_blocks
from recsys.models.recommender import Queries
from recsys.progress import Progress, silent
from recsys.retrieval.exact import top_k_by_blocks
from recsys.retrieval.topk import TopK, place

logger = logging.getLogger(__name__)

# Memory besides the item-to-item matrix: a block of sparse products or of scores, and three blocks of its rows.
_BLOCK_BYTES, _BLOCKS_OF_ROWS = 2**28, 3
_GIB = 2**30
_ROWS_AT_ONCE = 1024
# Below it, starting BLAS threads costs more than it saves: on a busy machine up to a hundred times the time.
_MANY_ITEMS = 4096


@dataclass(frozen=True, eq=False)
class EaseRecommender:
    """Scores an item by the sum of its weights for the items of a history.

    `weights`: float32 (n_items, n_items), C-contiguous; row i holds the weights of item i for every other item,
    the diagonal is zero. The column of an item without training users is -inf: it is never listed. Weights of
    the history are ignored.
    """

    weights: Floats
    name: str = "ease"

    @staticmethod
    def fit(
        matrix: InteractionMatrix,
        *,
        regularization: float = 250.0,
        progress: Progress = silent,
        rows_at_once: int = _ROWS_AT_ONCE,
    ) -> "EaseRecommender":
        """Minimise |X - X B|^2 + regularization |B|^2 over B with zeros on its diagonal.

        X is 1 if a user used an item, else 0. The minimum, from P = (X'X + regularization I)^-1:

            B_ij = -P_ij / P_jj,   B_ii = 0

        Steck, "Embarrassingly Shallow Autoencoders for Sparse Data" (2019), in float32 and within one
        matrix of n_items x n_items; the time grows with n_items^3.
        Raises ModelError if that matrix does not fit into memory (`check_memory`), or cannot be inverted.
        """
        check_memory(matrix.n_items)
        started = time.perf_counter()
        weights = _gram(presence(matrix.csr))
        weights[np.diag_indices_from(weights)] += np.float32(regularization)
        negative_inverse(weights, progress=progress, rows_at_once=rows_at_once)
        weights /= -weights.diagonal()
        np.fill_diagonal(weights, 0)
        weights[:, matrix.item_degree == 0] = -np.inf
        logger.info("ease items=%d seconds=%.2f", matrix.n_items, time.perf_counter() - started)
        return EaseRecommender(read_only(weights))

    def recommend(self, queries: Queries, k: int) -> TopK:
        """The k best items of each query outside what it leaves out; none for an empty history."""
        known = np.flatnonzero(np.diff(queries.history.indptr))
        history, left_out = presence(queries.history[known]), queries.left_out[known]

        def scores(start: int, stop: int) -> Floats:
            block: Floats = history[start:stop] @ self.weights
            return block

        return place([(known, top_k_by_blocks(scores, history.shape, k, exclude=left_out))], len(queries), k)


def check_memory(n_items: int) -> None:
    """Raise ModelError if EASE over `n_items` items needs more memory than there is; nothing is allocated."""
    needed = 4 * n_items * (n_items + _BLOCKS_OF_ROWS * _ROWS_AT_ONCE) + _BLOCK_BYTES
    available = available_bytes()
    if needed > available:
        raise ModelError(
            f"ease: {n_items} items need {needed / _GIB:.1f} GiB of memory (n_items^2 x 4 bytes and more), "
            f"{available / _GIB:.1f} GiB are available; use 'rp3beta' or 'item_knn' instead, "
            "or leave rare items out (prepare.min_item_users)"
        )


def _gram(seen: Csr) -> Floats:
    """Float32 (n_items, n_items): the number of users that each pair of items has in common."""
    n_items = seen.shape[1]
    gram = np.empty((n_items, n_items), np.float32)
    for start, block in product_blocks(seen.T.tocsr(), seen):
        gram[start : start + len(block)] = block
    return gram


def negative_inverse(matrix: Floats, *, progress: Progress = silent, rows_at_once: int = _ROWS_AT_ONCE) -> None:
    """Replace `matrix`, float32 (n, n), symmetric and positive definite, by minus its inverse, block by block.

    The sweep operator: Goodnight, "A Tutorial on the SWEEP Operator" (1979). LAPACK's factorisation takes as
    much work, but that of scipy 1.17 (OpenBLAS) crashes at 41,000 items, and it reports no progress.
    Raises ModelError if the matrix is not positive definite.
    """
    n_items = len(matrix)
    with threadpool_limits(1, "blas") if n_items < _MANY_ITEMS else nullcontext():
        for start in range(0, n_items, rows_at_once):
            _sweep(matrix, start, min(start + rows_at_once, n_items), rows_at_once)
            progress("ease", min(start + rows_at_once, n_items), n_items)
    _mirror(matrix, rows_at_once)


def _sweep(matrix: Floats, start: int, stop: int, rows_at_once: int) -> None:
    """Sweep the rows `start` to `stop`; only blocks on and above the diagonal are read and written."""
    rows = np.hstack([matrix[:start, start:stop].T, matrix[start:stop, start:]])
    inverse = _inverse(rows[:, start:stop])
    solved = inverse @ rows
    for first in range(0, len(matrix), rows_at_once):
        last = first + rows_at_once
        matrix[first:last, first:] -= solved[:, first:last].T @ rows[:, first:]
    matrix[:start, start:stop] = solved[:, :start].T
    matrix[start:stop, stop:] = solved[:, stop:]
    matrix[start:stop, start:stop] = -inverse


def _inverse(corner: Floats) -> Floats:
    try:
        inverse: Floats = inv(corner.astype(np.float64), assume_a="pos").astype(np.float32)
    except LinAlgError as error:
        message = "ease: the regularised matrix is not positive definite; regularization must be above zero"
        raise ModelError(message) from error
    return inverse


def _mirror(matrix: Floats, rows_at_once: int) -> None:
    """Copy the blocks above the diagonal to below it, in place."""
    for start in range(0, len(matrix), rows_at_once):
        stop = start + rows_at_once
        matrix[stop:, start:stop] = matrix[start:stop, stop:].T
