"""Exact search: every inner product, in blocks of bounded size. The reference for every index."""

from collections.abc import Callable

import numpy as np

from recsys.data.arrays import Floats, read_only
from recsys.data.matrix import Csr
from recsys.retrieval.search import check_queries, check_vectors
from recsys.retrieval.threads import in_threads
from recsys.retrieval.topk import TopK, empty_top_k, select_top_k, stack

# Scores of one block: 28 MiB of float32. More rows share the cost of reading the item vectors, but what exceeds
# 32 MiB glibc hands back to the system each time, and getting it again took longer than the product itself.
_SCORES_PER_BLOCK = 7 * 2**20

_FEW_QUERIES, _TURNED_AT_ONCE = 32, 1024


class ExactSearch:
    """Brute force over `vectors`: float32 (n_items, d), which is kept, not copied.

    Raises ModelError where they are not C-contiguous, finite float32.
    """

    def __init__(self, vectors: Floats) -> None:
        check_vectors(vectors)
        self._vectors = read_only(vectors)

    @property
    def n_items(self) -> int:
        """Rows of the item vectors."""
        return len(self._vectors)

    @property
    def exact(self) -> "ExactSearch":
        """Itself."""
        return self

    def search(self, vectors: Floats, k: int, *, exclude: Csr | None = None) -> TopK:
        """The k best items of each query; see `ItemSearch.search`."""
        check_queries(vectors, k, exclude, shape=self._vectors.shape)

        def scores(start: int, stop: int) -> Floats:
            return _products(vectors[start:stop], self._vectors)

        return top_k_by_blocks(scores, (len(vectors), self.n_items), k, exclude=exclude)


def _products(queries: Floats, vectors: Floats) -> Floats:
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
    scores: Callable[[int, int], Floats], shape: tuple[int, int], k: int, *, exclude: Csr | None
) -> TopK:
    """The k best of n_items for each of n queries (`shape` is (n, n_items)), however many there are.

    `scores(start, stop)` computes a fresh float32 (stop - start, n_items), which is written to; several threads may
    call it at once. `exclude`: CSR of `shape`, what is stored in row i, query i does not get.
    """
    n, n_items = shape
    size = max(1, _SCORES_PER_BLOCK // max(1, n_items))

    def top_k_of_block(start: int) -> TopK:
        block = scores(start, min(start + size, n))
        if exclude is not None:
            forbid(block, exclude, start)
        return select_top_k(block, k)

    parts = in_threads(top_k_of_block, range(0, n, size))
    return stack(parts) if parts else empty_top_k(0, k)


def forbid(block: Floats, exclude: Csr, start: int) -> None:
    """Set the scores of what rows `start` and on of `exclude` store to -inf, in place."""
    bounds = exclude.indptr[start : start + len(block) + 1]
    row = np.repeat(np.arange(len(block)), np.diff(bounds))
    block[row, exclude.indices[bounds[0] : bounds[-1]]] = -np.inf


def normalised(vectors: Floats) -> Floats:
    """float32 (n, d): `vectors` (n, d) scaled to length one, so that inner products are cosines. Zeros stay zero."""
    length = np.sqrt(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64)).astype(np.float32)
    length[length == 0] = 1
    scaled: Floats = vectors / length[:, None]
    return scaled
