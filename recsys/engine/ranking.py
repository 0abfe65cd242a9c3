"""Ranking: the best items for user vectors, or the most popular ones for vectors that are all zero."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recsys.artifacts.contents import Contents
from recsys.data.arrays import Floats, Indices, ones
from recsys.data.matrix import Csr
from recsys.data.sound_csr import sound_csr
from recsys.models.popularity import PopularityRecommender
from recsys.models.recommender import Queries
from recsys.retrieval.rescoring import totals
from recsys.retrieval.search import ItemSearch
from recsys.retrieval.topk import TopK, place

_CHECKED_UP_TO = 1_000  # reading the vectors of all new items, for a warning, would take longer than the list


class Ranker:
    """Ranks items for vectors of one version. Immutable: any number of threads may ask at once."""

    def __init__(self, contents: Contents) -> None:
        self._index = contents.index
        self._neighbours = contents.model.neighbours
        self._popularity = contents.popularity
        by_popularity = np.argsort(-contents.popularity, kind="stable").astype(np.int32)
        n_touched = int((contents.popularity > 0).sum())
        touched, self._untouched = by_popularity[:n_touched], np.sort(by_popularity[n_touched:])
        self._popular = PopularityRecommender(touched, contents.popularity[touched])

    @property
    def has_neighbours(self) -> bool:
        """Whether neighbours add to the scores."""
        return self._neighbours is not None

    def rank(
        self,
        vectors: Floats,
        k: int,
        *,
        counts: Csr | None,
        exclude: Csr,
        search: ItemSearch | None = None,
        allowed: NDArray[np.bool_] | None = None,
    ) -> TopK:
        """The k best items of each of `vectors`, float32 (n, d), outside its row of `exclude`, CSR (n, n_items).

        `counts`: float32 CSR (n, n_items), how much each item that a vector comes from counts, 1 by default: the
        neighbours of these items add to the scores. It may be None if there are no neighbours.
        `search` finds them among the items that are `allowed`, bool (n_items,); among all if these are None. A row is
        short only if fewer items are left. A vector that is all zero gets the most popular items.
        """
        known, search = vectors.any(axis=1), search or self._index
        if known.all():
            return search.search(vectors, k, exclude=exclude, added=self._added(counts))
        rows, fallback = np.flatnonzero(known), np.flatnonzero(~known)
        parts = [(fallback, self._popular_among(allowed).recommend(Queries(exclude[fallback], None), k))]
        if len(rows):
            added = self._added(None if counts is None else counts[rows])
            parts.append((rows, search.search(vectors[rows], k, exclude=exclude[rows], added=added)))
        return place(parts, len(vectors), k)

    def scores(self, vector: Floats, items: Indices, *, counts: Csr) -> Floats:
        """Float32 (m,): what `rank` scores the items at int32 (m,) with for `vector`, float32 (d,).

        `counts`: float32 CSR (1, n_items), as in `rank`.
        """
        if not vector.any():
            popularity: Floats = self._popularity[items]
            return popularity
        scores: Floats = totals(vector[None], self._index.vectors, items[None], added=self._added(counts))[0]
        return scores

    def can_list(self, vector: Floats, items: Indices) -> NDArray[np.bool_]:
        """Bool (m,): which of the items at int32 (m,) `rank` may list for `vector`, float32 (d,).

        For a fallback, those with interactions; otherwise those with a learned vector.
        """
        return self.has_vector(items) if vector.any() else np.asarray(self._popularity[items] > 0)

    def has_vector(self, items: Indices) -> NDArray[np.bool_]:
        """Bool (m,): which of the items at int32 (m,) have a learned vector, one that is not all zero."""
        return np.asarray(self._index.vectors[items].any(axis=1))

    def hides(self, vector: Floats, allowed: NDArray[np.bool_] | None) -> bool:
        """Whether items that are `allowed`, bool (n_items,), or any if None, cannot be listed for `vector`.

        Only items without interactions can be hidden; only the first of them are looked at.
        """
        untouched = self._untouched if allowed is None else self._untouched[allowed[self._untouched]]
        return not self.can_list(vector, untouched[:_CHECKED_UP_TO]).all()

    def _added(self, counts: Csr | None) -> Csr | None:
        if self._neighbours is None:
            return None
        assert counts is not None, "neighbours add by what a vector comes from"
        return self._neighbours.added_by(counts)

    def _popular_among(self, allowed: NDArray[np.bool_] | None) -> PopularityRecommender:
        if allowed is None:
            return self._popular
        kept = allowed[self._popular.order]
        return PopularityRecommender(self._popular.order[kept], self._popular.score[kept])


def storing(positions: Sequence[Indices], n_items: int, values: Sequence[Floats] | None = None) -> Csr:
    """Canonical float32 CSR (n, n_items): row i stores `values[i]` at `positions[i]`, int32, ascending.

    `values`: float32 arrays; None stores 1 everywhere.
    """
    if len(positions) == 1:
        columns, bounds = positions[0], np.array((0, len(positions[0])), np.int32)
    else:
        columns, bounds = np.concatenate(positions), np.cumsum([0, *map(len, positions)]).astype(np.int32)
    parts = [ones(len(columns))] if values is None else values
    stored = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return sound_csr(stored, columns, bounds, shape=(len(positions), n_items), is_canonical=True)
