"""Most popular: the baseline that knows nobody."""

from dataclasses import dataclass

import numpy as np

from recsys.data.arrays import Floats, Indices, read_only
from recsys.data.matrix import Csr, InteractionMatrix
from recsys.models.recommender import Queries
from recsys.retrieval.overfetch import drop_excluded, fetch_groups
from recsys.retrieval.topk import TopK, place


@dataclass(frozen=True, eq=False)
class PopularityRecommender:
    """The items with the most users, without those a user has already; equal ones by lower index.

    `order`: int32 (n_items,), most popular first. `n_users`: float32 (n_items,), distinct users in that order,
    which is also the score.
    """

    order: Indices
    n_users: Floats
    name: str = "popular"

    @staticmethod
    def fit(matrix: InteractionMatrix) -> "PopularityRecommender":
        """Count each item's distinct users; how much they did does not count."""
        n_users = np.bincount(matrix.csr.indices, minlength=matrix.n_items)
        order = np.argsort(-n_users, kind="stable").astype(np.int32)
        return PopularityRecommender(read_only(order), read_only(n_users[order].astype(np.float32)))

    def recommend(self, queries: Queries, k: int) -> TopK:
        """The k most popular items outside each history."""
        groups = fetch_groups(len(queries), k, queries.history)
        parts = [(rows, self._leading(queries.history[rows], k, width)) for rows, width in groups]
        return place(parts, len(queries), k)

    def _leading(self, history: Csr, k: int, width: int) -> TopK:
        shape = (history.shape[0], min(width, len(self.order)))
        leading: Indices = np.broadcast_to(self.order[:width], shape)
        n_users: Floats = np.broadcast_to(self.n_users[:width], shape)
        return drop_excluded(leading, n_users, k, exclude=history)
