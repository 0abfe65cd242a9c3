"""Support: the items that something is added to, which join the candidates of an approximate index.

Nothing is subtracted, so the items outside the support keep their order: the k best by inner product, joined with the
support, hold the k best by the sum.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Doubles, Floats, Indices
from recsys.data.matrix import Csr
from recsys.retrieval.exclusion import forbid_candidates, places_of
from recsys.retrieval.rescoring import ItemVectors, rescored, squared_lengths
from recsys.retrieval.topk import TopK, top_k_of_candidates

# More than all rounding of a product of two lengths in float32.
_CAREFUL = 1.01


def best_with_support(
    candidates: Indices,
    scores: Floats,
    queries: Floats,
    *,
    items: ItemVectors,
    k: int,
    slack: Doubles,
    exclude: Csr | None,
    added: Csr,
) -> TopK:
    """The k best of each query's candidates and its support, by `totals`; equal scores by lower index.

    `candidates`, `scores`: int32 and float32 (n, w), inner products with `queries`, float32 (n, d); -inf means "not
    allowed". `slack`: float64 (n,), from `ItemVectors.slack` with `added`. `exclude`, `added`: CSR (n, n_items),
    columns sorted within a row. A query with fewer than k allowed candidates gets these alone: nothing is known of
    the items outside that it lacks.
    """
    if added.nnz:
        place, is_added = places_of(candidates, added)
        is_added &= scores > -np.inf
        scores = np.where(is_added, scores + added.data[place], scores)
        wanted = np.ones(added.nnz, np.bool_)
        wanted[place[is_added]] = False
        others, other_scores = _able_to_reach(_least(scores, k, slack), wanted, queries, items, added=added)
        forbid_candidates(other_scores, others, items.zeros, exclude)
        candidates = np.concatenate([candidates, others], axis=1)
        scores = np.concatenate([scores, other_scores], axis=1)
    near = top_k_of_candidates(candidates, scores, max(k, candidates.shape[1]))
    return rescored(near, queries, items, k=k, slack=slack, added=added)


def _least(scores: Floats, k: int, slack: Doubles) -> Doubles:
    """float64 (n,): `slack` less than the k-th best of each row of `scores`, float32 (n, w); inf if it has fewer."""
    n, width = scores.shape
    if width < k:
        return np.full(n, np.inf)
    kth_best = np.partition(scores, width - k, axis=1)[:, width - k]
    return np.where(kth_best > -np.inf, kth_best - slack, np.inf)


def _able_to_reach(
    least: Doubles, wanted: NDArray[np.bool_], queries: Floats, items: ItemVectors, *, added: Csr
) -> tuple[Indices, Floats]:
    """Those of the `wanted` entries of `added` whose scores are at least `least`, float64 (n,), of their row.

    `wanted`: bool, one per entry. Returns positions and scores, int32 and float32 (n, w); -inf after a row's last.
    Only entries are scored whose upper bound is so high: an inner product is at most the product of the two lengths.
    """
    lengths = np.sqrt(squared_lengths(queries)) * _CAREFUL
    found = []
    for row, (start, stop) in enumerate(pairwise(added.indptr.tolist())):
        column, value = added.indices[start:stop], added.data[start:stop]
        kept = np.flatnonzero(wanted[start:stop] & (value + lengths[row] * items.lengths[column] >= least[row]))
        column = column[kept]
        with np.errstate(invalid="ignore"):  # all are finite; a BLAS kernel may raise the flag for lanes it discards
            scores = np.take(items.vectors, column, axis=0) @ queries[row] + value[kept]
        high = scores >= least[row]
        found.append((column[high], scores[high]))
    width = max(len(column) for column, _ in found)
    positions, padded = np.zeros((len(found), width), np.int32), np.full((len(found), width), -np.inf, np.float32)
    for row, (column, scores) in enumerate(found):
        positions[row, : len(column)], padded[row, : len(column)] = column, scores
    return positions, padded
