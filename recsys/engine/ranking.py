"""Lists in dense positions: the model's, or the most popular items where the model has nothing to say."""

import numpy as np
from numpy.typing import NDArray

from recsys.artifacts.contents import Contents
from recsys.data.arrays import Floats, Indices
from recsys.data.matrix import Csr
from recsys.engine.rescoring import MARGIN, inner_products, rescored
from recsys.models.factors.embedding_recommender import search_known
from recsys.models.popularity import PopularityRecommender
from recsys.models.recommender import Queries
from recsys.retrieval.search import ItemSearch
from recsys.retrieval.topk import TopK, place


class Ranker:
    """Ranks items for vectors of one version. Immutable: any number of threads may ask at once."""

    def __init__(self, contents: Contents) -> None:
        self._index = contents.index
        self._embeddings = contents.model.embeddings
        self._popularity = contents.popularity
        by_popularity = np.argsort(-contents.popularity, kind="stable").astype(np.int32)
        self._popular = PopularityRecommender(by_popularity, contents.popularity[by_popularity])

    def rank(
        self,
        vectors: Floats,
        k: int,
        *,
        exclude: Csr,
        search: ItemSearch | None = None,
        allowed: NDArray[np.bool_] | None = None,
    ) -> TopK:
        """The k best items of each of `vectors`, float32 (n, d), outside its row of `exclude`, CSR (n, n_items).

        `search` finds them among those that are `allowed`, bool (n_items,); among all where these are None. Fewer
        only where fewer are left. For a vector that is all zero the most popular items stand in.
        """
        found = search_known(search or self._index, vectors, exclude, k + MARGIN)
        top = rescored(found, vectors, self._embeddings, k=k)
        nobody = np.flatnonzero(~vectors.any(axis=1))
        if len(nobody) == 0:
            return top
        popular = self._popular_among(allowed).recommend(Queries(exclude[nobody], None), k)
        return place([(np.arange(len(top)), top), (nobody, popular)], len(top), k)

    def scores(self, vector: Floats, items: Indices) -> Floats:
        """Float32 (m,): what `rank` scores the items at int32 (m,) with for `vector`, float32 (d,)."""
        if not vector.any():
            popularity: Floats = self._popularity[items]
            return popularity
        products: Floats = inner_products(vector[None], items[None], self._embeddings)[0].astype(np.float32)
        return products

    def _popular_among(self, allowed: NDArray[np.bool_] | None) -> PopularityRecommender:
        if allowed is None:
            return self._popular
        kept = allowed[self._popular.order]
        return PopularityRecommender(self._popular.order[kept], self._popular.score[kept])
