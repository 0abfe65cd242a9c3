"""What the items of a history add to the score of a new item: the mean of what they add to its content neighbours."""

import numpy as np
import scipy.sparse as sp

from recsys.data.arrays import Floats, Indices
from recsys.data.matrix import Csr, csr_from_pairs
from recsys.models.neighbours.weights import NeighbourWeights

_COLUMNS_AT_ONCE = 4096

Entries = tuple[Indices, Indices, Floats]
"""Row, column and value of some entries of a sparse matrix."""


def largest_weight(weights: Csr) -> float:
    """The largest weight of a column of `weights`, CSR (n, n), on average over the columns that have any; else 0."""
    largest = weights.max(axis=0).toarray().ravel()
    return float(largest[largest > 0].mean(dtype=np.float64)) if (largest > 0).any() else 0.0


def with_new_columns(
    neighbours: NeighbourWeights, means: Csr, targets: Indices, *, own_weight: float, local: float
) -> NeighbourWeights:
    """`neighbours` with columns of the items `targets`, int32 (n,), ascending, in place of theirs.

    `means`: float32 CSR (n, n_items), see `ContentNeighbours.means`; no target is in it. The new column of an item is

        local * sum_j mean_j (column_j + own_weight * m * e_j)

    over its content neighbours j: what a history adds to the score of j, and that j itself is in it. m is
    `largest_weight`. As many entries of it are kept as the fullest column has, the largest ones.
    """
    weights = neighbours.weights
    most = int(np.bincount(weights.indices, minlength=1).max(initial=1))
    unit, columns = largest_weight(weights) * own_weight, weights.tocsc()
    parts = [_of_others(weights, targets)]
    for start in range(0, len(targets), _COLUMNS_AT_ONCE):
        some = means[start : start + _COLUMNS_AT_ONCE]
        new = (columns @ some.T + unit * some.T).tocsc() * np.float32(local)
        parts.append(_largest(new, most, targets[start : start + _COLUMNS_AT_ONCE]))
    rows, cols, values = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    csr = csr_from_pairs(rows.astype(np.int32), cols.astype(np.int32), values.astype(np.float32), weights.shape)
    return NeighbourWeights(csr, neighbours.strength)


def _of_others(weights: Csr, targets: Indices) -> Entries:
    """The entries of all columns but `targets`."""
    keep = np.ones(weights.shape[1], np.bool_)
    keep[targets] = False
    rows = np.repeat(np.arange(weights.shape[0], dtype=np.int32), np.diff(weights.indptr))
    kept = keep[weights.indices]
    return rows[kept], weights.indices[kept], weights.data[kept]


def _largest(columns: sp.csc_matrix, most: int, targets: Indices) -> Entries:
    """The `most` largest entries above zero of each column; the columns are those of `targets`."""
    which = np.repeat(np.arange(len(targets), dtype=np.int32), np.diff(columns.indptr))
    order = np.lexsort((columns.indices, -columns.data, which))
    place = np.arange(len(order)) - columns.indptr[which]
    chosen = order[(place < most) & (columns.data[order] > 0)]
    return columns.indices[chosen], targets[which[chosen]], columns.data[chosen]
