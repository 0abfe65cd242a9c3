"""Candidates: the warm items that can be near a hidden item under any weights of the sources."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recsys.content.cold_start.nearest import ContentNeighbours, nearest_by_content, vectors_of_source
from recsys.content.space import ContentSpace
from recsys.data.arrays import Bools, Doubles, Floats, Indices
from recsys.progress import Progress, silent
from recsys.retrieval.topk import top_k_of_candidates

_PRODUCTS_AT_ONCE = 2**22


@dataclass(frozen=True, eq=False)
class Candidates:
    """For each of n hidden items, the nearest warm items by each of s sources, and their cosines by all sources.

    `indices`: int32 (n, m), positions in the catalogue, -1 for none. `cosines`: float32 (s, n, m). `known`: bool
    (s, n), whether a source knows a hidden item. `known_near`: bool (s, n, m), whether it knows the warm one.
    """

    indices: Indices
    cosines: Floats
    known: Bools
    known_near: Bools

    @staticmethod
    def of(
        space: ContentSpace, hidden: Indices, warm: Indices, *, depth: int, progress: Progress = silent
    ) -> "Candidates":
        """The `depth` nearest by each source of `space`; `hidden` and `warm` are int32, ascending, apart."""
        sources = space.sources
        found = [
            nearest_by_content(vectors_of_source(each), hidden, warm, k=depth, progress=progress) for each in sources
        ]
        near = np.hstack([np.where(each.cosines > 0, each.indices, -1) for each in found])
        indices = _without_repeats(near)
        shape = (len(sources), *indices.shape)
        cosines, known_near = np.zeros(shape, np.float32), np.zeros(shape, np.bool_)
        for at, source in enumerate(sources):
            of_source: Bools = np.asarray(source.vectors.any(axis=1))
            known_near[at] = of_source[indices] & (indices >= 0)
            cosines[at] = np.where(known_near[at], _products(source.vectors, hidden, indices), 0)
        known = np.array([source.vectors[hidden].any(axis=1) for source in sources])
        return Candidates(indices, cosines, known, known_near)

    def nearest(self, weights: Sequence[float], k: int) -> ContentNeighbours:
        """The k nearest under `weights`, one per source, as `ContentSpace` defines the cosine."""
        weight = np.asarray(weights, np.float64)
        own = np.einsum("s,sn->n", weight, self.known)
        near = np.einsum("s,snm->nm", weight, self.known_near)
        length = np.sqrt(own[:, None] * near)
        summed: Doubles = np.einsum("s,snm->nm", weight, self.cosines)
        cosines = np.divide(summed, length, out=np.zeros_like(summed), where=length > 0).astype(np.float32)
        best = top_k_of_candidates(self.indices, np.where(cosines > 0, cosines, -np.inf).astype(np.float32), k)
        filled = best.filled
        return ContentNeighbours(
            np.where(filled, best.indices, 0).astype(np.int32),
            np.where(filled, best.scores, 0).astype(np.float32),
        )


def _without_repeats(near: Indices) -> Indices:
    """Each row of `near`, int32 (n, w), ascending and without repeats, filled up with -1."""
    rows = [np.unique(row[row >= 0]) for row in near]
    indices = np.full((len(near), max((len(row) for row in rows), default=0)), -1, np.int32)
    for at, row in enumerate(rows):
        indices[at, : len(row)] = row
    return indices


def _products(vectors: Floats, hidden: Indices, indices: Indices) -> Floats:
    """Float32 (n, m): the inner product of each hidden item with its candidates."""
    n, m = indices.shape
    products = np.zeros((n, m), np.float32)
    size = max(1, _PRODUCTS_AT_ONCE // max(1, m * vectors.shape[1]))
    for start in range(0, n, size):
        block = slice(start, start + size)
        near = vectors[np.maximum(indices[block], 0)]
        products[block] = np.einsum("nd,nmd->nm", vectors[hidden[block]], near, dtype=np.float64)
    return products
