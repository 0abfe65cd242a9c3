"""Exact search over some of the items."""

import numpy as np

from recsys.data.arrays import Floats, Indices
from recsys.data.matrix import Csr
from recsys.errors import ModelError
from recsys.retrieval.exact import ExactSearch
from recsys.retrieval.search import check_queries
from recsys.retrieval.topk import PAD, TopK


class SubsetSearch:
    """Brute force over the items at `positions`; the other items are never an answer.

    `positions`: int32 (m,), strictly ascending, of `n_items`. `vectors`: float32 (m, d), theirs; kept, not copied.
    Answers are those of `ExactSearch` over all items with the others excluded. Raises ModelError where the arrays
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
        """Itself."""
        return self

    @property
    def nbytes(self) -> int:
        """Memory of the vectors and positions."""
        return len(self._positions) * (4 * self._shape[1] + 8)

    def search(self, vectors: Floats, k: int, *, exclude: Csr | None = None) -> TopK:
        """The k best of the subset; see `ItemSearch.search`. `exclude` is over all items."""
        check_queries(vectors, k, exclude, shape=self._shape)
        found = self._exact.search(vectors, k, exclude=None if exclude is None else self._within(exclude))
        return TopK(self._position_or_pad[found.indices], found.scores, found.counts)

    def _within(self, exclude: Csr) -> Csr:
        """CSR (n, m): the columns of `exclude` that the subset has, numbered as there."""
        column = np.searchsorted(self._positions, exclude.indices).astype(np.int32)
        stored = self._position_or_pad[column] == exclude.indices
        indptr = np.append(0, np.cumsum(stored)).astype(np.int32)[exclude.indptr]
        shape = (exclude.shape[0], len(self._positions))
        return Csr((exclude.data[stored], column[stored], indptr), shape=shape)
