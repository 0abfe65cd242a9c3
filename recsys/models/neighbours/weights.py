"""NeighbourWeights: what each item of a history adds to the scores of the items near it."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from recsys.data.arrays import Doubles, Floats, Indices
from recsys.data.emphasis import emphasised
from recsys.data.matrix import Csr, check_canonical, load_csr, presence, save_csr
from recsys.errors import ArtifactError, DataError, ModelError

_PREFIX = "neighbours"

_MANY_COLUMNS = 32
"""Columns per entry from which a product over the columns that occur is quicker: 20 times for a million items."""


@dataclass(frozen=True, eq=False)
class NeighbourWeights:
    """The local part of a score: the sum of `strength` times `weights[j, i]` over the items j of a history.

    `weights`: canonical float32 CSR (n_items, n_items), values above zero, nothing on the diagonal; row j holds what
    item j of a history adds to the scores of other items. `strength`: above zero.
    Raises ModelError if they are not.
    """

    weights: Csr
    strength: float

    def __post_init__(self) -> None:
        n_rows, n_columns = self.weights.shape
        if n_rows != n_columns or not (0 < self.strength < np.inf):
            raise ModelError(f"neighbours: {self.weights.shape}, strength {self.strength}; expected square, above 0")
        try:
            check_canonical(self.weights)
        except DataError as error:
            raise ModelError(f"neighbours: {error}") from error

    @property
    def n_items(self) -> int:
        """The items that histories are over."""
        return int(self.weights.shape[0])

    def added(self, history: Csr, emphasis: Floats | None = None) -> Csr:
        """Canonical float32 CSR (n, n_items), above zero: what each row of `history` adds to the scores of items.

        `history`: canonical CSR (n, n_items), of which only the places count, not the values. `emphasis`: float32
        (nnz,), above zero: how much each entry counts, 1 by default, see `recsys.data.emphasis`. The sum runs in the
        order of the history's items, so a row does not depend on the other rows, to the last bit.
        Raises ModelError if `history` is over other items.
        """
        return self.added_by(emphasised(presence(history), emphasis))

    def added_by(self, counts: Csr) -> Csr:
        """As `added`; `counts`: canonical float32 CSR (n, n_items), finite, above zero: how much each entry counts.

        Raises ModelError if these are over other items.
        """
        if counts.shape[1] != self.n_items:
            raise ModelError(f"neighbours: a history over {counts.shape[1]} items, expected {self.n_items}")
        summed = _product(counts, self.weights)
        if summed.nnz > self.n_items:
            summed = summed.tocsc().tocsr()  # sorts in a third of the time, once there are many
        summed.sort_indices()
        summed.data *= np.float32(self.strength)
        return summed

    def contributions(self, history: Csr, targets: Indices, *, emphasis: Floats | None = None) -> Doubles:
        """Float64 (k, m): what each of the m entries of `history`, a single row, adds to the scores of k `targets`.

        `targets`: int32 (k,), item positions. A row sums to what `added` gives its target, up to rounding.
        Raises ModelError if `history` is not a single row.
        """
        if history.shape[0] != 1:
            raise ModelError(f"contributions: {history.shape[0]} histories, expected one")
        parts: Doubles = self.weights[history.indices][:, targets].toarray().T.astype(np.float64)
        return parts * self.strength if emphasis is None else parts * emphasis * self.strength

    def with_strength(self, strength: float) -> "NeighbourWeights":
        """The same weights with another strength."""
        return replace(self, strength=strength)

    def save(self, folder: Path) -> None:
        """Write the weights into `folder`, which exists; the strength belongs into the model's own file."""
        save_csr(self.weights, folder / _PREFIX)

    @staticmethod
    def load(folder: Path, n_items: int, strength: float | None) -> "NeighbourWeights | None":
        """Map what `save` wrote; None without a `strength`. Raises ArtifactError if it is missing or damaged."""
        if strength is None:
            return None
        weights = load_csr(folder / _PREFIX, (n_items, n_items))
        try:
            return NeighbourWeights(weights, strength)
        except ModelError as error:
            raise ArtifactError(f"{folder / _PREFIX}: {error}") from error


def _product(counts: Csr, weights: Csr) -> Csr:
    """`counts`, float32 CSR (n, n_items), times `weights`, (n_items, n_items); columns of a row in any order.

    The product of scipy writes and reads a few numbers for every column. If there are many more columns than entries,
    those without an entry are left out first: the same sums, in the same order.
    """
    items, n_items = counts.indices, weights.shape[0]
    n_entries = int((weights.indptr[items + 1] - weights.indptr[items]).sum())
    product: Csr
    if n_items < _MANY_COLUMNS * n_entries:
        product = counts @ weights
        return product
    rows = weights[items]
    columns, place = np.unique(rows.indices, return_inverse=True)
    shape = (len(items), len(columns))
    compact = Csr((rows.data, place.astype(np.int32), rows.indptr), shape=shape)
    which = Csr(
        (counts.data, np.arange(len(items), dtype=np.int32), counts.indptr), shape=(counts.shape[0], len(items))
    )
    product = which @ compact
    return Csr((product.data, columns[product.indices], product.indptr), shape=counts.shape)


def with_neighbours_part(
    parts: Doubles,
    neighbours: NeighbourWeights | None,
    history: Csr,
    targets: Indices,
    *,
    emphasis: Floats | None = None,
) -> Doubles:
    """`parts`, float64 (k, m), what a history adds to the scores of `targets` by the vectors, and by `neighbours`."""
    return parts if neighbours is None else parts + neighbours.contributions(history, targets, emphasis=emphasis)
