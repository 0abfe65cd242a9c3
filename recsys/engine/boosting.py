"""Boosts: scores multiplied by what whoever asks says of single items."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Floats, Indices


def boosted(indices: Indices, scores: Floats, boosts: Mapping[int, float]) -> tuple[Indices, Floats, Floats]:
    """The same items in the order of their boosted scores, equal ones by lower position.

    `indices`: int32 (n,), `scores`: float32 (n,). `boosts`: by position, a factor above zero. Returns positions,
    boosted scores, and what each score was multiplied by: the factor, or one over it where the score was below
    zero, so that a factor above 1 lifts every item.
    """
    factor = np.array([boosts.get(item, 1.0) for item in indices.tolist()])
    multiplier: NDArray[np.float32] = np.where(scores < 0, 1 / factor, factor).astype(np.float32)
    lifted = scores * multiplier
    order = np.lexsort((indices, -lifted))
    return indices[order], lifted[order], multiplier[order]
