"""HistoryRecommender: a user is the sum of what the items of a history stand for."""

from collections.abc import Callable
from dataclasses import dataclass

from recsys.data.arrays import Floats
from recsys.data.matrix import Csr
from recsys.models.factors.embedding_recommender import search_known
from recsys.models.recommender import Queries
from recsys.retrieval.search import ItemSearch
from recsys.retrieval.topk import TopK


@dataclass(frozen=True, eq=False)
class HistoryRecommender:
    """Ranks items by their inner product with the weighted sum of the vectors of a history's items.

    `sources`: float32 (n_items, d), what each item of a history adds. `weigh`: from a history to how much of it.
    `search`: the vectors that items are found by. Everybody is known by a history alone, trained on or not.
    """

    name: str
    sources: Floats
    search: ItemSearch
    weigh: Callable[[Csr], Csr]

    def recommend(self, queries: Queries, k: int) -> TopK:
        """The k best items of each query outside its history; none where the history says nothing."""
        vectors: Floats = self.weigh(queries.history) @ self.sources
        return search_known(self.search, vectors, queries.history, k)
