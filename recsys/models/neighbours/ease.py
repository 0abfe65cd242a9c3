"""EASE: a linear model of all items from all items, in closed form."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recsys.data.arrays import Floats, read_only
from recsys.data.matrix import Csr, InteractionMatrix, presence
from recsys.errors import ModelError
from recsys.models.memory import available_bytes
from recsys.models.neighbours.inverse import ROWS_AT_ONCE, negative_inverse
from recsys.models.neighbours.nearest import product_blocks
from recsys.models.neighbours.regularization import climb, most_values
from recsys.models.recommender import Queries
from recsys.progress import Progress, silent
from recsys.retrieval.exact import top_k_by_blocks
from recsys.retrieval.topk import TopK, place

REGULARIZATION = 250.0
"""The default: the best single value for three logs."""

logger = logging.getLogger(__name__)

# Memory besides the item-to-item matrices: a block of sparse products or of scores, and three blocks of rows.
_BLOCK_BYTES, _BLOCKS_OF_ROWS = 2**28, 3
_GIB = 2**30


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
        regularization: float = REGULARIZATION,
        progress: Progress = silent,
        rows_at_once: int = ROWS_AT_ONCE,
    ) -> "EaseRecommender":
        """Minimise |X - X B|^2 + regularization |B|^2 over B with zeros on its diagonal.

        X is 1 if a user used an item, else 0. The minimum, from P = (X'X + regularization I)^-1:

            B_ij = -P_ij / P_jj,   B_ii = 0

        Steck, "Embarrassingly Shallow Autoencoders for Sparse Data" (2019), in float32 and within one
        matrix of n_items x n_items; the time grows with n_items^3. `try_regularizations` finds the regularization
        that suits one log.
        Raises ModelError if there is not enough memory (`check_memory`), or the matrix cannot be inverted.
        """
        check_memory(matrix.n_items)
        started, gram = time.perf_counter(), _gram(presence(matrix.csr))
        weights = _solved(gram, regularization, stage="ease", progress=progress, rows_at_once=rows_at_once)
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


def try_regularizations(
    matrix: InteractionMatrix, quality: Callable[[EaseRecommender], float], *, progress: Progress = silent
) -> dict[float, float]:
    """Regularizations to the `quality` of the fit with each, see `climb`; the products of the items are made once.

    Empty if there are too many items to try more than one. Raises ModelError as `EaseRecommender.fit` does.
    """
    if (limit := most_values(matrix.n_items)) < 2:
        return {}
    check_memory(matrix.n_items)
    gram = _gram(presence(matrix.csr))

    def tried(value: float) -> float:
        copy = gram.copy()
        weights = _solved(copy, value, stage="ease regularization", progress=progress, rows_at_once=ROWS_AT_ONCE)
        return quality(EaseRecommender(read_only(weights)))

    found = climb(tried, limit=limit)
    logger.info("ease regularization: %s", ", ".join(f"{value:g}: {score:.4f}" for value, score in found.items()))
    return found


def check_memory(n_items: int) -> None:
    """Raise ModelError if EASE over `n_items` items needs more memory than there is; nothing is allocated."""
    needed = needed_bytes(n_items)
    available = available_bytes()
    if needed > available:
        raise ModelError(
            f"ease: {n_items} items need {needed / _GIB:.1f} GiB of memory (n_items^2 x 4 bytes and more), "
            f"{available / _GIB:.1f} GiB are available; use 'rp3beta' or 'item_knn' instead, "
            "or leave rare items out (prepare.min_item_users)"
        )


def needed_bytes(n_items: int) -> int:
    """Memory of a fit: the matrix, a second one while the regularization is searched, and blocks of rows."""
    matrices = 1 if most_values(n_items) < 2 else 2
    return 4 * n_items * (matrices * n_items + _BLOCKS_OF_ROWS * ROWS_AT_ONCE) + _BLOCK_BYTES


def _gram(seen: Csr) -> Floats:
    """Float32 (n_items, n_items): the number of users that each pair of items has in common."""
    n_items = seen.shape[1]
    gram = np.empty((n_items, n_items), np.float32)
    for start, block in product_blocks(seen.T.tocsr(), seen):
        gram[start : start + len(block)] = block
    return gram


def _solved(gram: Floats, regularization: float, *, stage: str, progress: Progress, rows_at_once: int) -> Floats:
    """`gram`, which `_gram` made, replaced by the weights, in place."""
    unused = gram.diagonal() == 0
    gram[np.diag_indices_from(gram)] += np.float32(regularization)
    negative_inverse(gram, stage=stage, progress=progress, rows_at_once=rows_at_once)
    gram /= -gram.diagonal()
    np.fill_diagonal(gram, 0)
    gram[:, unused] = -np.inf
    return gram
