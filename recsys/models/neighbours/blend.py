"""Blend: how strong the neighbours' part of a score is beside the vectors' part."""

from dataclasses import dataclass

import numpy as np

from recsys.data.arrays import Doubles, Floats, Indices
from recsys.data.matrix import Csr
from recsys.models.factors.model import FactorModel
from recsys.models.neighbours.weights import NeighbourWeights

SAMPLED = 64
"""Users whose scores tell how strong the neighbours are, at most twice as many."""

_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class Blend:
    """The neighbours of a training matrix, and how much their part of the score varies for a sample of its users.

    `neighbours`: of strength 1. `users`: int32 (n,), rows of the matrix. `spread`: float64 (n,), standard deviation
    over all items of what the neighbours add for each.
    """

    neighbours: NeighbourWeights
    users: Indices
    spread: Doubles

    @staticmethod
    def of(weights: Csr, csr: Csr) -> "Blend | None":
        """Of the `weights`, see NeighbourWeights, learned from `csr` (n_users, n_items); None if nobody has any."""
        if weights.nnz == 0:
            return None
        neighbours = NeighbourWeights(weights, 1.0)
        used = np.flatnonzero(np.diff(csr.indptr))
        users: Indices = used[:: max(1, len(used) // SAMPLED)].astype(np.int32)
        spread = _spread_of_rows(neighbours.added(csr[users]))
        return Blend(neighbours, users[spread > 0], spread[spread > 0]) if (spread > 0).any() else None

    def strength(self, vectors: Floats, scoring_items: Floats, share: float) -> float:
        """The strength with which the neighbours' part varies `share` times as much as the vectors' part.

        `vectors`: float32 (n, d), of `users`. `scoring_items`: float32 (n_items, d), scaled. Over the items
        for one user; the median of the sampled users. Six digits, because the last ones depend on the processor. 0 if
        the vectors tell nothing apart.
        """
        ratios = []
        for start in range(0, len(self.users), _AT_ONCE):
            block = slice(start, start + _AT_ONCE)
            products: Floats = vectors[block] @ scoring_items.T
            ratios.append(products.std(axis=1, dtype=np.float64) / self.spread[block])
        return float(f"{share * float(np.median(np.concatenate(ratios))):.6g}")


def blended(model: FactorModel, blend: Blend | None, share: float) -> FactorModel:
    """`model` with the neighbours of `blend` at `share`, see `Blend.strength`; as it is if that is nothing."""
    if blend is None:
        return model
    embeddings = model.embeddings
    strength = blend.strength(embeddings.users[blend.users], embeddings.scoring_items, share)
    if not 0 < strength < np.inf:
        return model
    return model.with_neighbours(blend.neighbours.with_strength(strength))


def _spread_of_rows(rows: Csr) -> Doubles:
    """float64 (n,): the standard deviation of each row of a sparse matrix, zeros included."""
    n_items = rows.shape[1]
    ones, values = np.ones(n_items), rows.astype(np.float64)
    mean, of_squares = values @ ones / n_items, values.power(2) @ ones / n_items
    spread: Doubles = np.sqrt(np.maximum(of_squares - mean**2, 0))
    return spread
