"""RP3beta: a random walk of three steps from a user, popular items discounted."""

import numpy as np
from numpy.typing import NDArray

from recsys.data.matrix import Csr, InteractionMatrix
from recsys.models.neighbours.item_knn import ItemKnnRecommender
from recsys.models.neighbours.nearest import nearest_items, shares
from recsys.progress import Progress, silent


def fit_rp3beta(
    matrix: InteractionMatrix,
    *,
    alpha: float = 0.8,
    beta: float = 0.3,
    neighbours: int = 100,
    progress: Progress = silent,
) -> ItemKnnRecommender:
    """Walk from each item to its users and on to their items, and keep the `neighbours` most likely ends.

        W_ij = (sum over users u of both  (1 / n_i)^alpha (1 / m_u)^alpha) / n_j^beta

    n_i is the number of users of item i, m_u the number of items of user u: each step of the walk takes any of its
    edges with the same probability, raised to `alpha`. The weights kept for an item are divided by their sum. How
    much a user did with an item does not count. The first step, from a user to the items of the history, has the same
    probability for all of them and changes no order. Paudel, Christoffel, Newell, Bernstein, "Updatable, Accurate,
    Diverse, and Scalable Recommendations for Interactive Applications" (2016), after Cooper, Lee, Radzik, Siantos,
    "Random Walks in Recommender Systems: Exact Computation and Simulations" (2014).
    """
    users = matrix.csr
    items = users.T.tocsr()
    m, n = (np.maximum(np.diff(csr.indptr), 1).astype(np.float64) for csr in (users, items))
    to_users = _rows_times(items, n**-alpha)
    to_items = _rows_times(users, m**-alpha)
    to_items.data *= (n**-beta).astype(np.float32)[users.indices]
    similarity = nearest_items(to_users, to_items, neighbours, stage="RP3beta", progress=progress)
    return ItemKnnRecommender.of(shares(similarity), matrix, name="rp3beta")


def _rows_times(csr: Csr, factor: NDArray[np.float64]) -> Csr:
    """The same entries; every value of row i is `factor[i]`."""
    values = np.repeat(factor.astype(np.float32), np.diff(csr.indptr))
    return Csr((values, csr.indices, csr.indptr), shape=csr.shape)
