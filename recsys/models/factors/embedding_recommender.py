"""EmbeddingRecommender: user vectors, searched among item vectors."""

from dataclasses import dataclass

import numpy as np

from recsys.data.arrays import Floats, Indices
from recsys.data.matrix import Csr
from recsys.errors import ModelError
from recsys.models.factors.training import TrainedModel
from recsys.models.recommender import Queries
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
        return search_known(self.search, self._vectors(queries), queries.history, k)

    def _vectors(self, queries: Queries) -> Floats:
        if queries.user_idx is None:
            return self.trained.fold_in(queries.history)
        return rows_of(self.trained.embeddings.users, queries.user_idx, name=self.name)


def search_known(search: ItemSearch, vectors: Floats, history: Csr, k: int) -> TopK:
    """The k best items of each of `vectors`, float32 (n, d), outside its row of `history`; none of a zero vector."""
    known = np.flatnonzero(vectors.any(axis=1))
    if len(known) == len(vectors):
        return search.search(vectors, k, exclude=history)
    return place([(known, search.search(vectors[known], k, exclude=history[known]))], len(vectors), k)


def rows_of(users: Floats, user_idx: Indices, *, name: str) -> Floats:
    """Float32 (n, d): the rows `user_idx`, int32 (n,), of `users`. Raises ModelError for one out of range."""
    if len(user_idx) and (user_idx.min() < 0 or user_idx.max() >= len(users)):
        raise ModelError(f"{name}: user_idx {user_idx.min()} to {user_idx.max()}, expected 0 to {len(users) - 1}")
    vectors: Floats = users[user_idx]
    return vectors
