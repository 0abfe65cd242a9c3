"""Selective search: the best of the items that are allowed, however few or many these are."""

from collections.abc import Callable, Iterator
from copy import copy
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Floats, Indices
from recsys.data.matrix import Csr
from recsys.errors import ModelError
from recsys.retrieval.exact import ExactSearch
from recsys.retrieval.exclusion import some_rows
from recsys.retrieval.search import ItemSearch, check_queries
from recsys.retrieval.topk import PAD, TopK, empty_top_k, place, top_k_from_sorted

Gather: TypeAlias = Callable[[Indices], Floats]
"""The vectors float32 (m, d) of the items at positions int32 (m,)."""

MAX_GATHERED, MAX_SHARE = 2**22, 0.5
"""Up to this many floats (16 MiB) of the allowed items' vectors, and up to this share of all items, the vectors are
gathered once and all compared, in a millisecond or two per query. Above, the index is asked for more than k, and
items that are not allowed are dropped: `benchmarks/filtered_search.py` measures both for every share."""

# How many times more is fetched than would do if the allowed items were spread evenly over every list.
_SLACK = 2


def selective(
    index: ItemSearch,
    gather: Gather,
    allowed: NDArray[np.bool_],
    *,
    factors: int,
    max_gathered: int = MAX_GATHERED,
) -> "SubsetSearch | OverFetching":
    """Search among the items for which `allowed`, bool (n_items,), is true; `factors`: the dimension d of `gather`.

    Exact if the allowed items' vectors have up to `max_gathered` floats, otherwise as exact as `index`; a list is
    short only if too few items are allowed. Raises ModelError if `allowed` is not over the items of `index`.
    """
    if allowed.shape != (index.n_items,):
        raise ModelError(f"search: allowed is {allowed.shape}, expected ({index.n_items},)")
    positions = np.flatnonzero(allowed).astype(np.int32)
    if len(positions) * factors <= max_gathered and len(positions) <= MAX_SHARE * index.n_items:
        return SubsetSearch(gather(positions), positions, index.n_items)
    return OverFetching(index, gather, allowed, rows_at_once=max(1, max_gathered // factors))


class SubsetSearch:
    """Brute force over the items at `positions`; the other items are never an answer.

    `positions`: int32 (m,), strictly ascending, of `n_items`. `vectors`: float32 (m, d), theirs; kept, not copied.
    Answers are those of `ExactSearch` over all items with the others excluded. Raises ModelError if the arrays
    do not fit.
    """

    def __init__(self, vectors: Floats, positions: Indices, n_items: int) -> None:
        if len(vectors) != len(positions) or (np.diff(positions, prepend=-1, append=n_items) < 1).any():
            raise ModelError(f"subset: {len(positions)} positions do not fit {len(vectors)} of {n_items} vectors")
        self._exact = ExactSearch(vectors)
        self._shape = (n_items, int(vectors.shape[1]))
        self._positions = positions
        self._position_or_pad = np.append(positions, np.int32(PAD))

    @property
    def n_items(self) -> int:
        """All items, of which only some are searched."""
        return self._shape[0]

    @property
    def exact(self) -> "SubsetSearch":
        """This search, which compares every item of the subset already."""
        return self

    @property
    def nbytes(self) -> int:
        """Memory of the vectors and positions."""
        return len(self._positions) * (4 * self._shape[1] + 8)

    def search(self, vectors: Floats, k: int, *, exclude: Csr | None = None, added: Csr | None = None) -> TopK:
        """The k best of the subset; see `ItemSearch.search`. `exclude` and `added` are over all items."""
        check_queries(vectors, k, exclude, added=added, shape=self._shape)
        found = self._exact.search(vectors, k, exclude=self._within(exclude), added=self._within(added))
        return TopK(self._position_or_pad[found.indices], found.scores, found.counts)

    def _within(self, rows: Csr | None) -> Csr | None:
        """CSR (n, m): the columns of `rows`, CSR (n, n_items), that the subset has, numbered as there."""
        if rows is None:
            return None
        column = np.searchsorted(self._positions, rows.indices).astype(np.int32)
        stored = self._position_or_pad[column] == rows.indices
        indptr = np.append(0, np.cumsum(stored)).astype(np.int32)[rows.indptr]
        shape = (rows.shape[0], len(self._positions))
        return Csr((rows.data[stored], column[stored], indptr), shape=shape)


class OverFetching:
    """Asks an index for more than k, and drops what is not `allowed`: bool (n_items,).

    If a list is short after that, it is made again by comparing all allowed items, `rows_at_once` at a time.
    """

    def __init__(self, index: ItemSearch, gather: Gather, allowed: NDArray[np.bool_], *, rows_at_once: int) -> None:
        self._index = index
        self._gather = gather
        self._allowed = allowed
        self._n_allowed = int(allowed.sum())
        self._rows = rows_at_once

    @property
    def n_items(self) -> int:
        """All items, allowed or not."""
        return self._index.n_items

    @property
    def exact(self) -> "OverFetching":
        """The same, of an index that compares every item; it shares what this one holds."""
        if self._index.exact is self._index:
            return self
        changed = copy(self)
        changed._index = self._index.exact
        return changed

    @property
    def nbytes(self) -> int:
        """Memory in addition to that of the index, in bytes."""
        return self._allowed.nbytes

    def search(self, vectors: Floats, k: int, *, exclude: Csr | None = None, added: Csr | None = None) -> TopK:
        """The k best of the allowed items; see `ItemSearch.search`."""
        width = min(self.n_items, _SLACK * k * self.n_items // max(1, self._n_allowed))
        if width >= self._n_allowed:
            return self._search_all(vectors, k, exclude, added)
        answer = _drop(self._index.search(vectors, width, exclude=exclude, added=added), self._allowed, k)
        short = np.flatnonzero(answer.counts < k)
        if len(short) == 0:
            return answer
        again = self._search_all(vectors[short], k, some_rows(exclude, short), some_rows(added, short))
        return place([(np.arange(len(answer)), answer), (short, again)], len(answer), k)

    def _search_all(self, vectors: Floats, k: int, exclude: Csr | None, added: Csr | None) -> TopK:
        best = empty_top_k(len(vectors), k)
        for positions in self._blocks():
            subset = SubsetSearch(self._gather(positions), positions, self.n_items)
            found = subset.search(vectors, k, exclude=exclude, added=added)
            best = _merge(best, found)
        return best

    def _blocks(self) -> Iterator[Indices]:
        positions = np.flatnonzero(self._allowed).astype(np.int32)
        return (positions[start : start + self._rows] for start in range(0, len(positions), self._rows))


def _drop(found: TopK, allowed: NDArray[np.bool_], k: int) -> TopK:
    """The first k of each row that are allowed."""
    kept = found.filled & allowed[found.indices]
    scores: Floats = np.where(kept, found.scores, np.float32(-np.inf))
    return _in_order(np.argsort(~kept, axis=1, kind="stable"), found.indices, scores, k=k)


def _merge(one: TopK, other: TopK) -> TopK:
    """The best of two answers to the same queries that share no item."""
    indices = np.concatenate([one.indices, other.indices], axis=1)
    scores = np.concatenate([one.scores, other.scores], axis=1)
    return _in_order(np.lexsort((indices, -scores)), indices, scores, k=one.k)


def _in_order(order: NDArray[np.intp], indices: Indices, scores: Floats, *, k: int) -> TopK:
    best = order[:, :k]
    return top_k_from_sorted(np.take_along_axis(indices, best, axis=1), np.take_along_axis(scores, best, axis=1), k)
