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
from recsys.retrieval.topk import TopK, empty_top_k, select_top_k, stack

Product: TypeAlias = Callable[[Floats, Floats], Floats]
"""(queries float32 (n, d), vectors float32 (m, d)) -> their inner products, a fresh float32 (n, m)."""

# Scores of one block: 28 MiB of float32. More rows share the cost of reading the item vectors, but what exceeds
# 32 MiB glibc hands back to the system each time, and getting it again took longer than the product itself.
SCORES_PER_BLOCK = 7 * 2**20

_FEW_QUERIES, _TURNED_AT_ONCE = 32, 1024


class ExactSearch:
    """Brute force over `vectors`: float32 (n_items, d), which is kept, not copied.

    Answers depend on a query and the items alone: not on the other queries, nor on the order in which `product`,
    (queries (n, d), vectors (m, d)) -> float32 (n, m), adds up. Raises ModelError unless the vectors are
    C-contiguous, finite float32.
    """

    def __init__(
        self,
        vectors: Floats | ItemVectors,
        *,
        product: Product | None = None,
        scores_per_block: int = SCORES_PER_BLOCK,
    ) -> None:
        self._items = vectors if isinstance(vectors, ItemVectors) else ItemVectors.of(vectors)
        self._product = product or matrix_product
        self._scores_per_block = scores_per_block

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
