"""EmbeddingRecommender: user vectors, searched among item vectors."""

from dataclasses import dataclass

import numpy as np

from recsys.data.arrays import Floats
from recsys.errors import ModelError
from recsys.models.recommender import Queries
from recsys.models.training import TrainedModel
from recsys.retrieval.search import ItemSearch
from recsys.retrieval.topk import TopK, place


@dataclass(frozen=True, eq=False)
class EmbeddingRecommender:
    """Ranks items by their inner product with a user's vector.

    `search` holds the model's `scoring_items`. Raises ModelError where it holds another number of items.
    """

    name: str
    trained: TrainedModel
    search: ItemSearch

    def __post_init__(self) -> None:
        n_items = len(self.trained.embeddings.items)
        if self.search.n_items != n_items:
            raise ModelError(f"{self.name}: the search holds {self.search.n_items} items, the model {n_items}")

    def recommend(self, queries: Queries, k: int) -> TopK:
        """The k best items of each query outside its history.

        A query with `user_idx` gets the trained vector, one without gets its history folded in. Who has neither a
        history nor a trained vector other than zero is nobody the model knows: every item would score zero, so
        there is no answer, and the caller chooses a fallback. Raises ModelError for a `user_idx` out of range.
        """
        vectors = self._vectors(queries)
        known = np.flatnonzero(vectors.any(axis=1))
        if len(known) == len(queries):
            return self.search.search(vectors, k, exclude=queries.history)
        answers = self.search.search(vectors[known], k, exclude=queries.history[known])
        return place([(known, answers)], len(queries), k)

    def _vectors(self, queries: Queries) -> Floats:
        if queries.user_idx is None:
            return self.trained.fold_in(queries.history)
        users, asked = self.trained.embeddings.users, queries.user_idx
        if len(asked) and (asked.min() < 0 or asked.max() >= len(users)):
            raise ModelError(f"{self.name}: user_idx {asked.min()} to {asked.max()}, expected 0 to {len(users) - 1}")
        return users[asked]
