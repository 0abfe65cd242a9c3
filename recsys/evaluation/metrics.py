"""Metrics of ranked lists: pure functions, one row per user, one column per cut-off.

Accuracy metrics take `hits`: bool (n, width), whether the item at each place of a user's list is relevant, and
`n_relevant`: int (n,), at least 1, how many relevant items the user has. List metrics take `indices`: int32
(n, width), the items at the places, and `filled`: bool (n, width), which places hold one. A list shorter
than k stays short: an empty place is a miss for accuracy, and no item for list metrics.

`cutoffs`: strictly increasing, from 1 to width. Every function returns float64 (n, len(cutoffs)) and raises
DataError if shapes or cut-offs are invalid. Each formula is for one user; `definitions` has it in words.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recsys.data.arrays import Floats, Indices
from recsys.errors import DataError

Bools = NDArray[np.bool_]
Integers = NDArray[np.integer]
Values = NDArray[np.float64]


def recall(hits: Bools, n_relevant: Integers, cutoffs: Sequence[int]) -> Values:
    """hits in the first k / min(k, n_relevant): 1 is what a perfect list of k places reaches."""
    return prefix_sums(hits, cutoffs) / _reachable(n_relevant, cutoffs)


def recall_hits(hits: Bools, n_relevant: Integers, cutoffs: Sequence[int]) -> Values:
    """hits in the first k / n_relevant; below 1 even for a perfect list if n_relevant > k."""
    return prefix_sums(hits, cutoffs) / _at_least_one(n_relevant)[:, None]


def precision(hits: Bools, n_relevant: Integers, cutoffs: Sequence[int]) -> Values:
    """hits in the first k / k, also if the list is shorter than k or n_relevant < k."""
    return prefix_sums(hits, cutoffs) / np.asarray(cutoffs, np.float64)


def hit_rate(hits: Bools, n_relevant: Integers, cutoffs: Sequence[int]) -> Values:
    """1 with a hit in the first k, else 0."""
    return (prefix_sums(hits, cutoffs) > 0).astype(np.float64)


def mrr(hits: Bools, n_relevant: Integers, cutoffs: Sequence[int]) -> Values:
    """1 / rank of the first hit, 0 without a hit in the first k (Voorhees 1999)."""
    place = np.where(hits.any(axis=1), hits.argmax(axis=1) + 1, np.inf)[:, None]
    return np.where(prefix_sums(hits, cutoffs) > 0, 1 / place, 0.0)


def average_precision(hits: Bools, n_relevant: Integers, cutoffs: Sequence[int]) -> Values:
    """sum over hits at ranks i <= k of (hits in the first i / i), / min(k, n_relevant); its mean is map@k."""
    precision_at = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    return prefix_sums(precision_at * hits, cutoffs) / _reachable(n_relevant, cutoffs)


def ndcg(hits: Bools, n_relevant: Integers, cutoffs: Sequence[int]) -> Values:
    """sum over hits at ranks i <= k of 1 / log2(i + 1), / the same sum over ranks 1 to min(k, n_relevant).

    Binary relevance (Järvelin & Kekäläinen 2002, with the discount of Burges et al. 2005).
    """
    discount = 1 / np.log2(np.arange(2, hits.shape[1] + 2))
    ideal = np.cumsum(discount)
    return prefix_sums(hits * discount, cutoffs) / ideal[_reachable(n_relevant, cutoffs) - 1]


ACCURACY: Mapping[str, Callable[[Bools, Integers, Sequence[int]], Values]] = {
    "recall": recall,
    "recall_hits": recall_hits,
    "ndcg": ndcg,
    "precision": precision,
    "map": average_precision,
    "mrr": mrr,
    "hit_rate": hit_rate,
}
"""The metrics in which higher is better, by name."""


def mean_over_list(item_value: Values, indices: Indices, filled: Bools, cutoffs: Sequence[int]) -> Values:
    """sum over the items in the first k of `item_value` / their number; NaN for an empty list.

    `item_value`: float64 (n_items,).
    """
    values = np.where(filled, item_value[np.where(filled, indices, 0)], 0.0)
    return ratio(prefix_sums(values, cutoffs), prefix_sums(filled, cutoffs))


def self_information(n_users_of_item: Integers, n_users: int) -> Values:
    """-log2(n_users_of_item / n_users), in bits, float64 (n_items,).

    An item without users counts as an item of one user. The mean over a list is novelty@k (Zhou et al. 2010).
    """
    return -np.log2(np.maximum(n_users_of_item, 1) / max(n_users, 1))


def diversity(unit_vectors: Floats, indices: Indices, filled: Bools, cutoffs: Sequence[int]) -> Values:
    """1 - mean cosine over the pairs of different places in the first k (Ziegler et al. 2005); NaN below two items.

    `unit_vectors`: float32 (n_items, d), each of length 1, or all zeros (whose cosine with anything is 0).
    The sum over all pairs of m vectors is |sum of vectors|^2 - sum of |vector|^2, so pairs are not formed.
    """
    squares = (unit_vectors.astype(np.float64) ** 2).sum(axis=1)
    own = prefix_sums(np.where(filled, squares[np.where(filled, indices, 0)], 0.0), cutoffs)
    n_items = prefix_sums(filled, cutoffs)
    between = _squared_sums(unit_vectors, indices, filled, cutoffs) - own
    return 1 - ratio(between, n_items * (n_items - 1))


def prefix_sums(values: NDArray[np.generic], cutoffs: Sequence[int]) -> Values:
    """Sums over the first k places, for every k of `cutoffs`. `values`: (n, width), bool or numbers."""
    starts = [0, *cutoffs[:-1]]
    if list(cutoffs) != sorted(set(cutoffs)) or not 1 <= min(cutoffs, default=0) <= max(cutoffs) <= values.shape[1]:
        raise DataError(f"cutoffs: got {list(cutoffs)}; expected increasing numbers from 1 to {values.shape[1]}")
    segments = np.add.reduceat(values[:, : cutoffs[-1]], starts, axis=1, dtype=np.float64)
    return np.cumsum(segments, axis=1)


def ratio(numerator: Values, denominator: Values) -> Values:
    """numerator / denominator, NaN if the denominator is zero."""
    quotient = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator > 0)
    return quotient


def _reachable(n_relevant: Integers, cutoffs: Sequence[int]) -> NDArray[np.int64]:
    """min(k, n_relevant): the hits of a perfect list."""
    return np.minimum(np.asarray(cutoffs, np.int64), _at_least_one(n_relevant)[:, None])


def _at_least_one(n_relevant: Integers) -> Integers:
    if len(n_relevant) and n_relevant.min() < 1:
        raise DataError(f"n_relevant: got {n_relevant.min()}; a user without relevant items cannot be evaluated")
    return n_relevant


def _squared_sums(vectors: Floats, indices: Indices, filled: Bools, cutoffs: Sequence[int]) -> Values:
    """|sum of the vectors in the first k|^2, by one sparse product per range of places between two cut-offs."""
    total = np.zeros((len(indices), vectors.shape[1]))
    squared = np.empty((len(indices), len(cutoffs)))
    for column, (start, stop) in enumerate(zip([0, *cutoffs[:-1]], cutoffs, strict=True)):
        held = filled[:, start:stop]
        columns = indices[:, start:stop][held]
        bounds = np.concatenate([[0], np.cumsum(held.sum(axis=1))])
        picked = sp.csr_matrix(
            (np.ones(len(columns), np.float32), columns, bounds), shape=(len(indices), len(vectors))
        )
        total += picked @ vectors
        squared[:, column] = np.einsum("nd,nd->n", total, total)
    return squared
