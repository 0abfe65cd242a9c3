"""FactorModel: what is trained, published and served, whichever algorithm learned it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import numpy as np

from recsys.data.arrays import Doubles, Floats, Indices
from recsys.data.matrix import Csr
from recsys.errors import ModelError
from recsys.map_ordered import map_blas
from recsys.models.factors.embeddings import Embeddings
from recsys.models.neighbours.weights import NeighbourWeights
from recsys.models.recommender import Queries
from recsys.retrieval.exclusion import some_rows
from recsys.retrieval.search import ItemSearch
from recsys.retrieval.topk import TopK, empty_top_k, place, stack


class FactorModel(Protocol):
    """User and item vectors, a way to make a vector for a user who was not in training, and perhaps neighbours.

    The score of an item is the inner product of its vector and the user's, multiplied by its scale, and what the
    neighbours add for the user's history. A user or an item without entries in training has the zero vector.
    """

    @property
    def algorithm(self) -> str:
        """The name of its algorithm in the registry."""

    @property
    def embeddings(self) -> Embeddings:
        """The vectors of users and items; d is their dimension."""

    @property
    def item_degree(self) -> Floats:
        """float32 (n_items,): distinct users of each item in training."""

    @property
    def neighbours(self) -> NeighbourWeights | None:
        """What the items of a history add to the scores of others; None if scores are inner products alone."""

    @property
    def losses(self) -> tuple[float, ...]:
        """Training loss after each iteration; empty if the fit computed none."""

    def fold_in(self, history: Csr, emphasis: Floats | None = None) -> Floats:
        """Float32 (n, d): a user vector for each row of `history`, canonical float32 CSR (n, n_items).

        `emphasis`: float32 (nnz,), above zero: what the weights of the entries in the model are multiplied by, see
        `recsys.data.emphasis`. A row without entries gives the zero vector.
        """

    def trained_vectors(self, user_idx: Indices, history: Csr) -> Floats:
        """Float32 (n, d): the vectors that a fit which ended now would give the users `user_idx`, int32 (n,).

        `history`: their rows of the training matrix. Of a fitted model these are the rows of `embeddings.users`, but
        while a fit goes on (`OnIteration`), the users there may be behind the items.
        """

    def contributions(self, history: Csr, targets: Indices, *, emphasis: Floats | None = None) -> Doubles:
        """Float64 (k, m): what each of the m entries of `history` adds to the scores of k `targets`.

        `history`: a single row, canonical float32 CSR (1, n_items). `targets`: int32 (k,), item positions. A row of
        the result sums to the score of its target: by the vector of `fold_in(history, emphasis)`, and by neighbours.
        Raises ModelError if `history` is not a single row.
        """

    def rotated(self, rotation: Floats) -> Self:
        """The same model in another basis, which changes no score. `rotation`: float32 (d, d), orthogonal."""

    def with_embeddings(self, embeddings: Embeddings) -> Self:
        """The same model with other embeddings for the same users and items."""

    def with_neighbours(self, neighbours: NeighbourWeights | None) -> Self:
        """The same vectors with these neighbours."""

    def save(self, folder: Path) -> None:
        """Write it into `folder`, which is made if missing. `registry.load_model` reads it."""


OnIteration = Callable[[int, FactorModel], None]
"""Called after an iteration with the number of iterations done and the model so far.

The model shares the memory of the solver, which continues with it: read or copy it, do not write to it or keep it. It
is the model that a fit of that many iterations would return, but for its users: `trained_vectors` has theirs. An
exception ends the fit and propagates.
"""


# Queries whose sums over neighbours one thread holds together: with dense histories there is one per item.
_ADDED_TO_AT_ONCE = 512


@dataclass(frozen=True, eq=False)
class FactorRecommender:
    """Ranks items by their inner product with a user's vector, and what the neighbours add for the history.

    `search` holds the `scoring_items` of the model. Raises ModelError if it holds another number of items.
    """

    name: str
    model: FactorModel
    search: ItemSearch

    def __post_init__(self) -> None:
        n_items = len(self.model.embeddings.items)
        if self.search.n_items != n_items:
            raise ModelError(f"{self.name}: the search holds {self.search.n_items} items, the model {n_items}")

    def recommend(self, queries: Queries, k: int) -> TopK:
        """The k best items of each query outside what it leaves out.

        A query with `user_idx` gets the trained vector, one without gets its history folded in. A zero vector has no
        answer, because every item would score zero: the caller chooses a fallback.
        Raises ModelError if a `user_idx` is out of range.
        """
        vectors, neighbours = self._vectors(queries), self.model.neighbours
        if neighbours is None:
            return search_known(self.search, vectors, queries.left_out, k)

        def best(start: int) -> TopK:
            some = queries.batch(start, start + _ADDED_TO_AT_ONCE)
            added = neighbours.added(some.history, some.emphasis)
            return search_known(self.search, vectors[start : start + len(some)], some.left_out, k, added=added)

        starts = range(0, len(queries), _ADDED_TO_AT_ONCE)
        parts = list(map_blas(best, starts, ahead=len(starts)))
        return stack(parts) if parts else empty_top_k(0, k)

    def _vectors(self, queries: Queries) -> Floats:
        if queries.user_idx is None:
            return self.model.fold_in(queries.history, queries.emphasis)
        return rows_of(self.model.embeddings.users, queries.user_idx, name=self.name)


def search_known(search: ItemSearch, vectors: Floats, exclude: Csr, k: int, *, added: Csr | None = None) -> TopK:
    """The k best items of each of `vectors`, float32 (n, d), outside its row of `exclude`; none of a zero vector.

    `added`: CSR (n, n_items), see `ItemSearch.search`.
    """
    known = np.flatnonzero(vectors.any(axis=1))
    if len(known) == len(vectors):
        return search.search(vectors, k, exclude=exclude, added=added)
    found = search.search(vectors[known], k, exclude=exclude[known], added=some_rows(added, known))
    return place([(known, found)], len(vectors), k)


def rows_of(users: Floats, user_idx: Indices, *, name: str) -> Floats:
    """Float32 (n, d): the rows `user_idx`, int32 (n,), of `users`. Raises ModelError if one is out of range."""
    if len(user_idx) and (user_idx.min() < 0 or user_idx.max() >= len(users)):
        raise ModelError(f"{name}: user_idx {user_idx.min()} to {user_idx.max()}, expected 0 to {len(users) - 1}")
    vectors: Floats = users[user_idx]
    return vectors
