"""NeighbourWeights: what each item of a history adds to the scores of the items near it."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from recsys.data.arrays import Doubles, Floats, Indices
from recsys.data.emphasis import emphasised
from recsys.data.matrix import Csr, check_canonical, load_csr, presence, save_csr
from recsys.data.sound_csr import sound_csr
from recsys.errors import ArtifactError, DataError, ModelError
from recsys.models.neighbours.summed_rows import summed_rows

_PREFIX = "neighbours"


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
        summed = summed_rows(counts, self._plain_weights)
        summed.data *= np.float32(self.strength)
        return summed

    @cached_property
    def _plain_weights(self) -> Csr:
        """The weights in plain arrays. A row of a mapped array is many times slower to take."""
        weights = self.weights
        arrays = map(np.asarray, (weights.data, weights.indices, weights.indptr))
        return sound_csr(*arrays, shape=weights.shape, is_canonical=True)

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
