"""Most popular: the baseline without personalisation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Floats, Indices, read_only
from recsys.data.matrix import Csr, InteractionMatrix
from recsys.models.recommender import Queries
from recsys.retrieval.exclusion import drop_excluded, fetch_groups
from recsys.retrieval.topk import TopK, place


@dataclass(frozen=True, eq=False)
class PopularityRecommender:
    """The most popular items outside a user's history; ties by lower index.

    `order`: int32 (m,), the items with any training user, most popular first. `score`: float32 (m,), their
    popularity, in that order.
    """

    order: Indices
    score: Floats
    name: str = "popular"

    @staticmethod
    def fit(matrix: InteractionMatrix) -> "PopularityRecommender":
        """Rank items by their distinct users; the number and time of their events do not count."""
        return PopularityRecommender.of_counts(np.bincount(matrix.csr.indices, minlength=matrix.n_items))

    @staticmethod
    def of_counts(n_users: NDArray[np.int64]) -> "PopularityRecommender":
        """The same from the distinct users of each item, int64 (n_items,)."""
        return _ranked(n_users, name="popular")

    @staticmethod
    def fit_weighted(matrix: InteractionMatrix) -> "PopularityRecommender":
        """Rank items by the sum of their weights, which have decayed if `prepare.half_life_days` is set."""
        weight = np.bincount(matrix.csr.indices, weights=matrix.csr.data, minlength=matrix.n_items)
        return PopularityRecommender.of_weights(weight)

    @staticmethod
    def of_weights(weight: NDArray[np.int64] | NDArray[np.float64]) -> "PopularityRecommender":
        """The same from the sum of the weights of each item, float64 (n_items,)."""
        return _ranked(weight, name="popular_weighted")

    def recommend(self, queries: Queries, k: int) -> TopK:
        """The k most popular items outside what each query leaves out."""
        groups = fetch_groups(len(queries), k, queries.left_out)
        parts = [(rows, self._leading(queries.left_out[rows], k, width)) for rows, width in groups]
        return place(parts, len(queries), k)

    def _leading(self, left_out: Csr, k: int, width: int) -> TopK:
        shape = (left_out.shape[0], min(width, len(self.order)))
        leading: Indices = np.broadcast_to(self.order[:width], shape)
        score: Floats = np.broadcast_to(self.score[:width], shape)
        return drop_excluded(leading, score, k, exclude=left_out)


def _ranked(popularity: NDArray[np.int64] | NDArray[np.float64], *, name: str) -> PopularityRecommender:
    score = popularity.astype(np.float32)
    order = np.argsort(-score, kind="stable").astype(np.int32)
    order = order[: np.count_nonzero(score)]  # the others have no users
    return PopularityRecommender(read_only(order), read_only(score[order]), name)
