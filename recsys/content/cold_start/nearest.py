"""The nearest warm items of an item, by content: exact, in blocks of bounded memory."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from recsys.content.space import ContentSource, ContentSpace, stacked
from recsys.data.arrays import Floats, Indices, read_only
from recsys.data.matrix import Csr
from recsys.progress import Progress, silent
from recsys.retrieval.exact import ExactSearch
from recsys.retrieval.topk import TopK, empty_top_k, top_k_of_candidates

_ROWS_AT_ONCE = 32_768
_QUERIES_AT_ONCE = 4096

VectorsOf = Callable[[Indices], Floats]
"""From positions int32 (n,) to content vectors float32 (n, d), C-contiguous, of length one or zero."""


@dataclass(frozen=True, eq=False)
class ContentNeighbours:
    """The k nearest warm items of n items, nearest first.

    `indices`: int32 (n, k), positions in the catalogue; 0 where there is none. `cosines`: float32 (n, k), zero where
    there is none, and for items whose content has nothing in common.
    """

    indices: Indices
    cosines: Floats

    def means(self, k: int, power: float, n_items: int) -> Csr:
        """Float32 CSR (n, n_items): the weights of a mean over up to `k` of them, cosine ** `power`.

        Each row sums to one; it is empty if no warm item has a cosine above zero.
        """
        indices, cosines = self.indices[:, :k], self.cosines[:, :k].astype(np.float64)
        near = cosines > 0
        weights = np.where(near, np.where(near, cosines, 1.0) ** power, 0.0)
        total = weights.sum(axis=1, keepdims=True)
        weights = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
        rows = np.broadcast_to(np.arange(len(indices), dtype=np.int32)[:, None], indices.shape)
        shape = (len(indices), n_items)
        csr = sp.coo_matrix((weights[near], (rows[near], indices[near])), shape=shape, dtype=np.float32).tocsr()
        csr.sort_indices()
        return csr


def vectors_of_space(space: ContentSpace) -> VectorsOf:
    """The stacked vectors of some items of `space`, without those of all others."""
    weights = [source.weight for source in space.sources]
    return lambda at: stacked([source.vectors[at] for source in space.sources], weights)


def vectors_of_source(source: ContentSource) -> VectorsOf:
    """The vectors of some items of `source`."""
    return lambda at: np.ascontiguousarray(source.vectors[at])


def nearest_by_content(
    vectors: VectorsOf, targets: Indices, among: Indices, *, k: int, progress: Progress = silent
) -> ContentNeighbours:
    """The `k` items of `among`, int32 (m,), ascending, with the largest cosine to each of `targets`, int32 (n,).

    Equal cosines by lower position. None is its own neighbour only if `targets` and `among` have none in common.
    """
    best = empty_top_k(len(targets), k)
    n_blocks = -(-len(among) // _ROWS_AT_ONCE)
    for block in range(n_blocks):
        some = among[block * _ROWS_AT_ONCE : (block + 1) * _ROWS_AT_ONCE]
        best = _better(best, _found(vectors, targets, some, k), k)
        progress("content neighbours", block + 1, n_blocks)
    filled = best.filled
    return ContentNeighbours(
        read_only(np.where(filled, best.indices, 0).astype(np.int32)),
        read_only(np.where(filled, np.clip(best.scores, 0, 1), 0).astype(np.float32)),
    )


def _found(vectors: VectorsOf, targets: Indices, some: Indices, k: int) -> TopK:
    """The best of a block of items, as positions in the catalogue."""
    search = ExactSearch(vectors(some))
    parts = [
        search.search(vectors(targets[start : start + _QUERIES_AT_ONCE]), k)
        for start in range(0, len(targets), _QUERIES_AT_ONCE)
    ]
    indices, scores = (np.concatenate([getattr(part, name) for part in parts]) for name in ("indices", "scores"))
    counts = np.concatenate([part.counts for part in parts])
    filled = np.arange(k) < counts[:, None]
    return TopK(np.where(filled, some[np.where(filled, indices, 0)], indices).astype(np.int32), scores, counts)


def _better(one: TopK, other: TopK, k: int) -> TopK:
    indices, scores = np.hstack([one.indices, other.indices]), np.hstack([one.scores, other.scores])
    return top_k_of_candidates(indices, scores, k)
