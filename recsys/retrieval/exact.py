"""Exact search: every inner product, in blocks of bounded size. The reference for every index."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from recsys.data.arrays import Floats
from recsys.data.matrix import Csr
from recsys.map_ordered import map_blas
from recsys.retrieval.addition import add_to
from recsys.retrieval.exclusion import forbid, some_rows
from recsys.retrieval.rescoring import ItemVectors, best_of_scores, squared_lengths
from recsys.retrieval.search import check_queries
from recsys.retrieval.topk import TopK, empty_top_k, place, select_top_k, stack

Product: TypeAlias = Callable[[Floats, Floats], Floats]
"""(queries float32 (n, d), vectors float32 (m, d)) -> their inner products, a fresh float32 (n, m)."""

# Scores of one block: 28 MiB of float32. More rows share the cost of reading the item vectors, but what exceeds
# 32 MiB glibc hands back to the system each time, and getting it again took longer than the product itself.
SCORES_PER_BLOCK = 7 * 2**20

_FEW_QUERIES, _TURNED_AT_ONCE = 32, 1024

COMPILED_FROM = 2**29
"""Multiplications from which compiled loops are worth the half second in which they are loaded."""

_SELECTING = 64
"""Multiplications that take as long as to look at one score."""

_MANY_QUERIES = 256
"""A service asks for fewer together: it never loads them."""


class ExactSearch:
    """Brute force over `vectors`: float32 (n_items, d), which is kept, not copied.

    Answers depend on a query and the items alone: not on the other queries, nor on the order in which `product`,
    (queries (n, d), vectors (m, d)) -> float32 (n, m), adds up. Raises ModelError unless the vectors are
    C-contiguous, finite float32. From `compiled_from` multiplications on, many queries are answered by compiled
    loops, which multiply only what can be among the best: the lists are the same to the last bit.
    """

    def __init__(
        self,
        vectors: Floats | ItemVectors,
        *,
        product: Product | None = None,
        scores_per_block: int = SCORES_PER_BLOCK,
        compiled_from: float = COMPILED_FROM,
    ) -> None:
        self._items = vectors if isinstance(vectors, ItemVectors) else ItemVectors.of(vectors)
        self._product = product or matrix_product
        self._scores_per_block = scores_per_block
        self._compiled_from = compiled_from

    @property
    def n_items(self) -> int:
        """Rows of the item vectors."""
        return self._items.shape[0]

    @property
    def exact(self) -> "ExactSearch":
        """This search, which compares every item already."""
        return self

    def search(self, vectors: Floats, k: int, *, exclude: Csr | None = None, added: Csr | None = None) -> TopK:
        """The k best items of each query; see `ItemSearch.search`."""
        check_queries(vectors, k, exclude, added=added, shape=self._items.shape)
        if self._is_for_compiled_loops(len(vectors), exclude, added):
            return self._search_by_length(vectors, k, exclude, added)
        return self._search_all(vectors, k, exclude, added)

    def _search_all(self, vectors: Floats, k: int, exclude: Csr | None, added: Csr | None) -> TopK:
        """Compare every item, in numpy alone."""
        slack = self._items.slack(vectors, added)

        def best(start: int, stop: int) -> TopK:
            block = self._product(vectors[start:stop], self._items.vectors)
            add_to(block, added, start)
            block[:, self._items.zeros] = -np.inf
            forbid(block, exclude, start)
            rows = slice(start, stop)
            return best_of_scores(
                block, vectors[rows], self._items, k=k, slack=slack[rows], added=some_rows(added, rows)
            )

        return by_blocks(best, (len(vectors), self.n_items), k, scores_per_block=self._scores_per_block)

    def _is_for_compiled_loops(self, n: int, *rows: Csr | None) -> bool:
        """Whether `n` queries are work enough, and `rows` sorted as the loops want them."""
        n_items, factors = self._items.shape
        work = n * n_items * (factors + _SELECTING) if n >= _MANY_QUERIES else 0
        return work >= self._compiled_from and all(each is None or each.has_sorted_indices for each in rows)

    def _search_by_length(self, vectors: Floats, k: int, exclude: Csr | None, added: Csr | None) -> TopK:
        from recsys.retrieval.by_length import QUERIES_AT_ONCE, best_by_length  # noqa: PLC0415 (numba, half a second)

        def best(start: int) -> TopK:
            rows = slice(start, start + QUERIES_AT_ONCE)
            asked, without, plus = vectors[rows], some_rows(exclude, rows), some_rows(added, rows)
            top, crowded = best_by_length(asked, self._items, k, product=self._product, exclude=without, added=plus)
            if len(crowded) == 0:
                return top
            again = self._search_all(asked[crowded], k, some_rows(without, crowded), some_rows(plus, crowded))
            return place([(np.arange(len(top)), top), (crowded, again)], len(top), k)

        starts = range(0, len(vectors), QUERIES_AT_ONCE)
        parts = list(map_blas(best, starts, ahead=len(starts)))
        return stack(parts) if parts else empty_top_k(0, k)


def matrix_product(queries: Floats, vectors: Floats) -> Floats:
    """float32 (n, m): `queries`, float32 (n, d), times `vectors`, float32 (m, d).

    For few rows BLAS takes twice as long as for the product the other way round, which is turned over in the cache.
    """
    if len(queries) > _FEW_QUERIES:
        products: Floats = queries @ vectors.T
        return products
    columns = np.ascontiguousarray(queries.T)
    products = np.empty((len(queries), len(vectors)), np.float32)
    for start in range(0, len(vectors), _TURNED_AT_ONCE):
        block = slice(start, start + _TURNED_AT_ONCE)
        products[:, block] = (vectors[block] @ columns).T
    return products


def top_k_by_blocks(
    scores: Callable[[int, int], Floats],
    shape: tuple[int, int],
    k: int,
    *,
    exclude: Csr | None,
    scores_per_block: int = SCORES_PER_BLOCK,
) -> TopK:
    """The k best of n_items for each of n queries (`shape` is (n, n_items)), however many there are.

    `scores(start, stop)` computes a fresh float32 (stop - start, n_items), which is written to; several threads may
    call it at once. `exclude`: CSR of `shape`, what is stored in row i, query i does not get.
    """

    def best(start: int, stop: int) -> TopK:
        block = scores(start, stop)
        forbid(block, exclude, start)
        return select_top_k(block, k)

    return by_blocks(best, shape, k, scores_per_block=scores_per_block)


def by_blocks(
    best: Callable[[int, int], TopK], shape: tuple[int, int], k: int, *, scores_per_block: int = SCORES_PER_BLOCK
) -> TopK:
    """`best(start, stop)` of blocks of the n rows of scores of `shape` (n, n_items), in threads."""
    n, n_items = shape
    size = max(1, scores_per_block // max(1, n_items))
    starts = range(0, n, size)
    parts = list(map_blas(lambda start: best(start, min(start + size, n)), starts, ahead=len(starts)))
    return stack(parts) if parts else empty_top_k(0, k)


def normalised(vectors: Floats) -> Floats:
    """float32 (n, d): `vectors` (n, d) scaled to length one, so that inner products are cosines. Zeros stay zero."""
    length = np.sqrt(squared_lengths(vectors)).astype(np.float32)
    length[length == 0] = 1
    scaled: Floats = vectors / length[:, None]
    return scaled
