"""Recall of an index from what its structure proposes, without the exact scores that a search computes."""

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Floats
from recsys.data.matrix import Csr
from recsys.map_ordered import map_blas
from recsys.retrieval.approximate_index import EXACTLY, ApproximateIndex
from recsys.retrieval.exclusion import forbid_candidates, some_rows
from recsys.retrieval.topk import TopK

# Queries that one thread looks for together.
_QUERIES_AT_ONCE = 16


def count_found(
    index: ApproximateIndex, vectors: Floats, k: int, true: TopK, *, exclude: Csr | None = None
) -> NDArray[np.int64]:
    """int64 (n,): how many of `true`, the answers of exact search, `index.search` finds for each query.

    What is proposed is ranked by exact scores, so that a true answer is found if it is proposed; and all are if too
    few are proposed, because exact search answers then. Fetching and comparing thousands of vectors for each query,
    most of the work of a search, is not needed to know this. Queries: float32 (n, d).
    """
    steps = index.steps(vectors, k, exclude)
    found = true.counts.astype(np.int64)
    blocks = [
        rows[start : start + _QUERIES_AT_ONCE]
        for rows in (np.flatnonzero(steps == step) for step in np.unique(steps[steps != EXACTLY]))
        for start in range(0, len(rows), _QUERIES_AT_ONCE)
    ]

    def of_block(rows: NDArray[np.intp]) -> NDArray[np.int64]:
        proposed = _proposed(index, vectors[rows], int(steps[rows[0]]))
        scores = np.where(proposed < 0, np.float32(-np.inf), np.float32(0))
        forbid_candidates(scores, proposed, index.exact.items.zeros, some_rows(exclude, rows))
        enough = np.isfinite(scores).sum(axis=1) >= k
        hits = [
            len(np.intersect1d(row, true.indices[at][: true.counts[at]]))
            for at, row in zip(rows, proposed, strict=True)
        ]
        return np.where(enough, hits, found[rows])

    for rows, hits in zip(blocks, map_blas(of_block, blocks, ahead=len(blocks)), strict=True):
        found[rows] = hits
    return found


def _proposed(index: ApproximateIndex, queries: Floats, step: int) -> NDArray[np.int32]:
    """int32 (n, w): what is proposed for queries that are looked for equally hard; -1 is none."""
    parameters = index.parameters.grown(step)
    count = min(index.n_items, parameters.candidates)
    proposed = index.structure.propose(queries, parameters.probes, count)
    return np.where((proposed < 0) | (proposed >= index.n_items), -1, proposed).astype(np.int32)
