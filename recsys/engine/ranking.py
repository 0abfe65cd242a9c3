"""Lists in dense positions: the model's, or the most popular items where the model has nothing to say."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.artifacts.contents import Contents
from recsys.data.arrays import Floats, Indices
from recsys.data.matrix import Csr
from recsys.engine.rescoring import MARGIN, rescored
from recsys.models.embedding_recommender import EmbeddingRecommender
from recsys.models.popularity import PopularityRecommender
from recsys.models.recommender import Queries
from recsys.retrieval.topk import TopK, place


@dataclass(frozen=True, eq=False)
class Lists:
    """Lists of n users. `fallback`: bool (n,), which of them hold the most popular items instead of the model's."""

    top: TopK
    fallback: NDArray[np.bool_]


class Ranker:
    """Ranks all items for users of one version. Immutable: any number of threads may ask at once."""

    def __init__(self, contents: Contents) -> None:
        self._seen = contents.seen
        self._embeddings = contents.model.embeddings
        self._model = EmbeddingRecommender("model", contents.model, contents.index)
        by_popularity = np.argsort(-contents.popularity, kind="stable").astype(np.int32)
        self._popular = PopularityRecommender(by_popularity, contents.popularity[by_popularity])

    def rank(self, user_idx: Indices, k: int, *, exclude_seen: bool) -> Lists:
        """The k best items of each user; `user_idx`: int32 (n,). Fewer only where fewer are left.

        For whom the model finds nothing, because their vector is all zero, the most popular items stand in.
        """
        history = self._seen[user_idx] if exclude_seen else self._nothing(len(user_idx))
        found = self._model.recommend(Queries(history, user_idx), k + MARGIN)
        top = rescored(found, self._embeddings.users[user_idx], self._embeddings, k=k)
        fallback = top.counts == 0
        if fallback.any():
            rows = np.flatnonzero(fallback)
            popular = self._popular.recommend(Queries(history[rows], None), k)
            top = place([(np.arange(len(top)), top), (rows, popular)], len(top), k)
        return Lists(top, fallback)

    def popular(self, k: int) -> TopK:
        """The k most popular items, for one user of whom nothing is known."""
        return self._popular.recommend(Queries(self._nothing(1), None), k)

    def seen(self, user: int) -> tuple[Indices, Floats]:
        """What one user is known by: item positions int32 (m,), ascending, and weights float32 (m,)."""
        start, stop = self._seen.indptr[user], self._seen.indptr[user + 1]
        return self._seen.indices[start:stop], self._seen.data[start:stop]

    def _nothing(self, n: int) -> Csr:
        no_columns, no_weights = np.empty(0, np.int32), np.empty(0, np.float32)
        return Csr((no_weights, no_columns, np.zeros(n + 1, np.int32)), shape=(n, self._seen.shape[1]))
