"""Lists in dense positions: the model's, or the most popular items where the model has nothing to say."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.artifacts.contents import Contents
from recsys.data.arrays import Floats
from recsys.data.matrix import Csr
from recsys.engine.rescoring import MARGIN, rescored
from recsys.models.embedding_recommender import search_known
from recsys.models.popularity import PopularityRecommender
from recsys.models.recommender import Queries
from recsys.retrieval.topk import TopK, place


@dataclass(frozen=True, eq=False)
class Lists:
    """Lists of n users. `fallback`: bool (n,), which of them hold the most popular items instead of the model's."""

    top: TopK
    fallback: NDArray[np.bool_]


class Ranker:
    """Ranks all items for vectors of one version. Immutable: any number of threads may ask at once."""

    def __init__(self, contents: Contents) -> None:
        self._index = contents.index
        self._embeddings = contents.model.embeddings
        by_popularity = np.argsort(-contents.popularity, kind="stable").astype(np.int32)
        self._popular = PopularityRecommender(by_popularity, contents.popularity[by_popularity])

    def rank(self, vectors: Floats, k: int, *, exclude: Csr) -> Lists:
        """The k best items of each of `vectors`, float32 (n, d), outside its row of `exclude`, CSR (n, n_items).

        Fewer only where fewer are left. For a vector that is all zero the most popular items stand in.
        """
        found = search_known(self._index, vectors, exclude, k + MARGIN)
        top = rescored(found, vectors, self._embeddings, k=k)
        fallback = top.counts == 0
        if fallback.any():
            rows = np.flatnonzero(fallback)
            popular = self._popular.recommend(Queries(exclude[rows], None), k)
            top = place([(np.arange(len(top)), top), (rows, popular)], len(top), k)
        return Lists(top, fallback)
