"""Joined search: exact search over vectors that lie side by side in several arrays, never put together in memory."""

from dataclasses import dataclass

import numpy as np

from recsys.data.arrays import Doubles, Floats, Indices
from recsys.data.matrix import Csr
from recsys.errors import ModelError
from recsys.retrieval.addition import add_to, added_at
from recsys.retrieval.exclusion import forbid, some_rows
from recsys.retrieval.rescoring import inner_products, search_slack, squared_lengths
from recsys.retrieval.search import check_queries
from recsys.retrieval.topk import TopK, empty_top_k, near_top_k, stack, top_k_of_candidates

ROWS_AT_ONCE = 65_536
"""How many items of one array are compared in one product."""


@dataclass(frozen=True, eq=False)
class Part:
    """One array of a joined search: rows float32 (n_items, d), each counted `scale`, float32 (n_items,), times."""

    vectors: Floats
    scale: Floats

    def rows(self, positions: Indices) -> Floats:
        """Float32 (m, d): the scaled rows at `positions`, int32 (m,)."""
        scaled: Floats = np.asarray(self.vectors[positions]) * self.scale[positions][:, None]
        return scaled


class JoinedSearch:
    """Brute force over the rows of `parts` put side by side; their arrays may be mapped files, read block by block.

    Raises ModelError if there is no part, or the parts have different numbers of items.
    """

    def __init__(self, parts: tuple[Part, ...]) -> None:
        if not parts or len({len(part.vectors) for part in parts}) != 1:
            raise ModelError("search: expected arrays with the same number of items")
        self._parts = parts
        self._splits = np.cumsum([part.vectors.shape[1] for part in parts]).tolist()
        squares = np.sum([_squared_lengths(part) for part in parts], axis=0)
        self._known = squares > 0
        self._longest = float(np.sqrt(squares.max(initial=0)))

    @property
    def n_items(self) -> int:
        """Rows of the arrays."""
        return len(self._known)

    @property
    def factors(self) -> int:
        """The dimension of the joined rows."""
        return int(self._splits[-1])

    @property
    def exact(self) -> "JoinedSearch":
        """This search, which compares every item already."""
        return self

    def gather(self, positions: Indices) -> Floats:
        """Float32 (m, d): the joined rows at `positions`, int32 (m,)."""
        return np.hstack([part.rows(positions) for part in self._parts])

    def search(self, vectors: Floats, k: int, *, exclude: Csr | None = None, added: Csr | None = None) -> TopK:
        """The k best items of each query; see `ItemSearch.search`."""
        check_queries(vectors, k, exclude, added=added, shape=(self.n_items, self.factors))
        rows = (slice(row, row + 1) for row in range(len(vectors)))
        found = [self._best(vectors[row], k, some_rows(exclude, row), some_rows(added, row)) for row in rows]
        return stack(found) if found else empty_top_k(0, k)

    def _best(self, query: Floats, k: int, exclude: Csr | None, added: Csr | None) -> TopK:
        """The k best for `query`, float32 (1, d); near-ties are settled in double precision, as in every search."""
        scores = self._products(query[0])[None]
        add_to(scores, added, 0)
        scores[:, ~self._known] = -np.inf
        forbid(scores, exclude, 0)
        # Twice the slack: rows are scaled after the product, which rounds once more.
        near = near_top_k(scores, k, 2 * search_slack(query, longest=self._longest, added=added))
        gathered, at = self.gather(np.maximum(near.indices[0], 0)), np.arange(near.k, dtype=np.int32)[None]
        more = None if added is None else added_at(added, near.indices)
        settled = inner_products(query, gathered, at, more=more)
        return top_k_of_candidates(near.indices, np.where(near.filled, settled, np.float32(-np.inf)), k)

    def _products(self, query: Floats) -> Floats:
        products = np.zeros(self.n_items, np.float32)
        for part, of_part in zip(self._parts, np.split(query, self._splits[:-1]), strict=True):
            if not of_part.any():
                continue
            for start in range(0, self.n_items, ROWS_AT_ONCE):
                rows = slice(start, start + ROWS_AT_ONCE)
                products[rows] += part.scale[rows] * (part.vectors[rows] @ of_part)
        return products


def _squared_lengths(part: Part) -> Doubles:
    """Float64 (n_items,): of the scaled rows."""
    starts = range(0, max(1, len(part.vectors)), ROWS_AT_ONCE)
    rows = (slice(start, start + ROWS_AT_ONCE) for start in starts)
    return np.concatenate([squared_lengths(part.vectors[some]) for some in rows]) * part.scale.astype(np.float64) ** 2
