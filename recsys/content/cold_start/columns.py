"""What a history adds to the score of a new or rare item: the mean of what it adds to its content neighbours."""

from dataclasses import dataclass

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


def with_content_columns(
    neighbours: NeighbourWeights,
    means: Csr,
    targets: Indices,
    *,
    own_weight: float,
    local: float,
    share: Floats,
) -> NeighbourWeights:
    """`neighbours` with more in the columns of the items `targets`, int32 (n,), ascending.

    `means`: float32 CSR (n, n_items), see `ContentNeighbours.means`; no target is in it. `share`: float32 (n,). What
    is added to the column of item i, which is empty if the item is new, is

        share_i * local * sum_j mean_j (column_j + own_weight * m * e_j)

    over its content neighbours j: what a history adds to the score of j, and that j itself is in it. m is
    `largest_weight`. As many entries of it are kept as the fullest column has, the largest ones. An item adds nothing
    to its own score.
    """
    weights = neighbours.weights
    of_content, columns = ContentColumns.of(weights, own_weight=own_weight, local=local), weights.tocsc()
    rows = np.repeat(np.arange(weights.shape[0], dtype=np.int32), np.diff(weights.indptr))
    parts: list[Entries] = [(rows, weights.indices, weights.data)]
    for start in range(0, len(targets), _COLUMNS_AT_ONCE):
        block = slice(start, start + _COLUMNS_AT_ONCE)
        row, place, value = of_content.entries(columns, means[block], share[block])
        parts.append((row, targets[block][place], value))
    rows, cols, values = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    apart = rows != cols  # a rare item may be near to one that is near to it
    csr = csr_from_pairs(
        rows[apart].astype(np.int32), cols[apart].astype(np.int32), values[apart].astype(np.float32), weights.shape
    )
    return NeighbourWeights(csr, neighbours.strength)


@dataclass(frozen=True)
class ContentColumns:
    """What the columns of `with_content_columns` are made with: `most` entries each, `own` is own_weight * m."""

    own: float
    local: float
    most: int

    @staticmethod
    def of(weights: Csr, *, own_weight: float, local: float) -> "ContentColumns":
        """As the columns of `weights`, CSR (n, n), say."""
        most = int(np.bincount(weights.indices, minlength=1).max(initial=1))
        return ContentColumns(largest_weight(weights) * own_weight, local, most)

    def entries(self, columns: sp.csc_matrix, means: Csr, share: Floats) -> Entries:
        """Row, place in `means` and value of the columns of n items; `columns`: the weights, float32 CSC.

        `means`: float32 CSR (n, n_items). `share`: float32 (n,).
        """
        some = sp.diags_array(share * np.float32(self.local)) @ means
        return _largest((columns @ some.T + self.own * some.T).tocsc(), self.most)


def _largest(columns: sp.csc_matrix, most: int) -> Entries:
    """The `most` largest entries above zero of each column; rows, and places of the columns."""
    which = np.repeat(np.arange(columns.shape[1], dtype=np.int32), np.diff(columns.indptr))
    order = np.lexsort((columns.indices, -columns.data, which))
    place = np.arange(len(order)) - columns.indptr[which]
    chosen = order[(place < most) & (columns.data[order] > 0)]
    return columns.indices[chosen], which[chosen], columns.data[chosen]
