"""Ranking: the best items for user vectors, or the most popular ones for vectors that are all zero.

A search sums float32 products in an order that depends on the number of queries in a block and on the processor. Two
items that differ by a rounding error then trade places between a batch and a single question. So a few more items
than asked for are fetched, and their scores are summed again in float64 and rounded once: the same alone and in a
batch.
"""

import numpy as np
from numpy.typing import NDArray

from recsys.artifacts.contents import Contents
from recsys.data.arrays import Floats, Indices
from recsys.data.matrix import Csr
from recsys.models.factors.embeddings import Embeddings
from recsys.models.factors.model import search_known
from recsys.models.popularity import PopularityRecommender
from recsys.models.recommender import Queries
from recsys.retrieval.search import ItemSearch
from recsys.retrieval.threads import in_threads
from recsys.retrieval.topk import TopK, place, top_k_of_candidates

MARGIN = 16
"""How many more items than asked for are fetched, so that near-ties at the end of a list are settled too."""

GATHERED_PER_BLOCK = 2**19
"""Elements of the item vectors that are rescored at once: 2 MiB of float32, which stay in the cache of one core."""


class Ranker:
    """Ranks items for vectors of one version. Immutable: any number of threads may ask at once."""

    def __init__(self, contents: Contents) -> None:
        self._index = contents.index
        self._embeddings = contents.model.embeddings
        self._popularity = contents.popularity
        by_popularity = np.argsort(-contents.popularity, kind="stable").astype(np.int32)
        touched = by_popularity[contents.popularity[by_popularity] > 0]
        self._popular = PopularityRecommender(touched, contents.popularity[touched])

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

        `search` finds them among the items that are `allowed`, bool (n_items,); among all if these are None. A row is
        short only if fewer items are left. A vector that is all zero gets the most popular items.
        """
        found = search_known(search or self._index, vectors, exclude, k + MARGIN)
        top = rescored(found, vectors, self._embeddings, k=k)
        fallback = np.flatnonzero(~vectors.any(axis=1))
        if len(fallback) == 0:
            return top
        popular = self._popular_among(allowed).recommend(Queries(exclude[fallback], None), k)
        return place([(np.arange(len(top)), top), (fallback, popular)], len(top), k)

    def scores(self, vector: Floats, items: Indices) -> Floats:
        """Float32 (m,): what `rank` scores the items at int32 (m,) with for `vector`, float32 (d,)."""
        if not vector.any():
            popularity: Floats = self._popularity[items]
            return popularity
        products: Floats = inner_products(vector[None], items[None], self._embeddings)[0].astype(np.float32)
        return products

    def can_list(self, vector: Floats, items: Indices) -> NDArray[np.bool_]:
        """Bool (m,): which of the items at int32 (m,) `rank` may list for `vector`, float32 (d,).

        For a fallback, those that anybody interacted with; otherwise those that have a learned vector.
        """
        return self.has_vector(items) if vector.any() else np.asarray(self._popularity[items] > 0)

    def has_vector(self, items: Indices) -> NDArray[np.bool_]:
        """Bool (m,): which of the items at int32 (m,) have a learned vector, one that is not all zero."""
        return np.asarray(self._embeddings.items[items].any(axis=1))

    def _popular_among(self, allowed: NDArray[np.bool_] | None) -> PopularityRecommender:
        if allowed is None:
            return self._popular
        kept = allowed[self._popular.order]
        return PopularityRecommender(self._popular.order[kept], self._popular.score[kept])


def rescored(
    top: TopK, users: Floats, embeddings: Embeddings, *, k: int, gathered_per_block: int = GATHERED_PER_BLOCK
) -> TopK:
    """The k best of the candidates `top`, ordered by inner products summed in double precision and rounded once.

    `users`: float32 (n, d), the vectors that `top` was found with.
    """
    products = np.empty(top.scores.shape, np.float32)
    rows = max(1, gathered_per_block // max(1, top.k * embeddings.factors))

    def fill(start: int) -> None:
        block = slice(start, start + rows)
        products[block] = inner_products(users[block], top.indices[block], embeddings)

    in_threads(fill, range(0, len(top), rows))
    return top_k_of_candidates(top.indices, np.where(top.filled, products, np.float32(-np.inf)), k)


def inner_products(users: Floats, indices: Indices, embeddings: Embeddings) -> NDArray[np.float64]:
    """float64 (n, w): users (n, d) with the scaled vectors of the items `indices` (n, w); padding gets any number."""
    gathered = np.take(embeddings.items, indices, axis=0)
    products: NDArray[np.float64] = np.vecdot(gathered, users[:, None, :].astype(np.float64))
    return products * embeddings.item_scale[indices]
