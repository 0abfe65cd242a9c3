"""Diversity: lists whose items are not all alike."""

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Floats
from recsys.retrieval.exact import normalised

_POOL_PER_PLACE, _SMALLEST_POOL = 4, 100


def pool_size(k: int) -> int:
    """How many of the best items are looked at for k places."""
    return max(_SMALLEST_POOL, _POOL_PER_PLACE * k)


def diversified(scores: Floats, vectors: Floats, k: int, *, diversity: float) -> NDArray[np.intp]:
    """Which k candidates are chosen, in order: intp (min(k, n),), places in `scores`.

    `scores`: float32 (n,), best first. `vectors`: float32 (n, d), of the same items. Maximal marginal relevance:
    one after the other is chosen that has the largest

        (1 - diversity) * relevance_i  -  diversity * max over chosen j of cos(y_i, y_j)

    where relevance is the score brought to the range 0 to 1 over the candidates, whatever the scores' own range;
    the best candidate comes first. Carbonell, Goldstein, The Use of MMR, Diversity-Based Reranking (SIGIR 1998).
    """
    span = float(scores[0] - scores[-1]) if len(scores) else 0.0
    relevance = (scores - scores[-1]) / span if span > 0 else np.zeros(len(scores), np.float32)
    directions = normalised(vectors)
    nearest = np.full(len(scores), -np.inf, np.float32)
    chosen: list[int] = []
    for _ in range(min(k, len(scores))):
        value = (1 - diversity) * relevance - diversity * nearest if chosen else relevance
        value[chosen] = -np.inf
        best = int(value.argmax())
        chosen.append(best)
        nearest = np.maximum(nearest, directions @ directions[best])
    return np.array(chosen, np.intp)
