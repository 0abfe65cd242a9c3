"""Truncated SVD of the normalised matrix: the matrix itself, seen through its leading directions."""

import numpy as np

from recsys.data.matrix import InteractionMatrix
from recsys.errors import ModelError
from recsys.models.factors.history_recommender import HistoryRecommender
from recsys.models.factors.spectral import inverse_root, log_sums, logarithm, singular_vectors
from recsys.models.factors.training import popularity_scale
from recsys.progress import Progress, silent
from recsys.retrieval.exact import ExactSearch


def fit_svd(
    matrix: InteractionMatrix,
    *,
    factors: int = 512,
    popularity_exponent: float = 0.5,
    seed: int = 1,
    progress: Progress = silent,
) -> HistoryRecommender:
    """Keep the `factors` leading directions of the normalised matrix, a tenth of those it has at most.

    With all of them the matrix would be given back as it is, and every item that a user has not seen score zero.

        score(u, i) = (D_u^-1/2 log(1 + r_u) D_i^-1/2 V) . V_i n_i^popularity_exponent

    V: right singular vectors of D_u^-1/2 log(1 + R) D_i^-1/2, D the sums of the rows and columns of log(1 + R); n_i:
    distinct users of item i. D_u^-1/2 changes no order and is left out. For a user of the training this is the
    matrix as the truncated decomposition gives it back, U S V'; anybody else's history is treated the same.
    Cremonesi, Koren, Turrin, "Performance of Recommender Algorithms on Top-N Recommendation Tasks" (2010), PureSVD,
    here on the normalised matrix. Raises ModelError where `matrix` holds nothing.
    """
    if matrix.csr.nnz == 0:
        raise ModelError("svd: nothing to learn from: the matrix holds no entries")
    rng = np.random.default_rng(seed)
    rank = max(1, min(factors, min(matrix.csr.shape) // 10))
    _, _, directions = singular_vectors(matrix.csr, rank, rng=rng, progress=progress)
    _, item_sums = log_sums(matrix.csr)
    n_users = np.bincount(matrix.csr.indices, minlength=matrix.n_items).astype(np.float32)
    scoring = directions * popularity_scale(n_users, popularity_exponent)[:, None]
    sources = directions * inverse_root(item_sums)[:, None]
    return HistoryRecommender("svd", sources, ExactSearch(np.ascontiguousarray(scoring)), logarithm)
