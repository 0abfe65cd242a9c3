"""What is done to a ranked list before it is given: boosts, diversity, reasons."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Doubles, Floats, Indices
from recsys.data.items import Items
from recsys.engine.answers import Reason
from recsys.engine.user_profiles import UserProfile
from recsys.models.factors.model import FactorModel
from recsys.retrieval.exact import normalised

N_REASONS = 3
"""The most reasons per item; the other contributions are in the rest."""

_POOL_PER_PLACE, _SMALLEST_POOL = 4, 100
_TARGETS_AT_ONCE = 64


def boosted(indices: Indices, scores: Floats, boosts: Mapping[int, float]) -> tuple[Indices, Floats, Floats]:
    """The same items in the order of their boosted scores, equal ones by lower position.

    `indices`: int32 (n,), `scores`: float32 (n,). `boosts`: a factor above zero per position. Returns positions,
    boosted scores, and what each score was multiplied by: the factor, or one over it if the score was below zero, so
    that a factor above 1 lifts every item.
    """
    factor = np.array([boosts.get(item, 1.0) for item in indices.tolist()])
    multiplier: NDArray[np.float32] = np.where(scores < 0, 1 / factor, factor).astype(np.float32)
    lifted = scores * multiplier
    order = np.lexsort((indices, -lifted))
    return indices[order], lifted[order], multiplier[order]


def pool_size(k: int) -> int:
    """How many of the best items `diversified` chooses k from."""
    return max(_SMALLEST_POOL, _POOL_PER_PLACE * k)


def diversified(scores: Floats, vectors: Floats, *, k: int, diversity: float) -> NDArray[np.intp]:
    """Which k candidates are chosen, in order: intp (min(k, n),), places in `scores`.

    `scores`: float32 (n,), best first. `vectors`: float32 (n, d), of the same items. Maximal marginal relevance: the
    best candidate comes first, then one after the other the candidate that has the largest

        (1 - diversity) * relevance_i  -  diversity * max over chosen j of cos(y_i, y_j)

    Relevance is the score scaled to the range 0 to 1 over the candidates.
    Carbonell, Goldstein, The Use of MMR, Diversity-Based Reranking (SIGIR 1998).
    """
    span = float(scores[0] - scores[-1]) if len(scores) else 0.0
    relevance = (scores - scores[-1]) / span if span > 0 else np.zeros(len(scores), np.float32)
    # In double precision and numpy's own order of summation: in float32, BLAS decides which near-tie is chosen.
    directions = normalised(vectors).astype(np.float64)
    nearest = np.full(len(scores), -np.inf, np.float32)
    chosen: list[int] = []
    for _ in range(min(k, len(scores))):
        value = (1 - diversity) * relevance - diversity * nearest if chosen else relevance
        value[chosen] = -np.inf
        best = int(value.argmax())
        chosen.append(best)
        cosines = np.einsum("nd,d->n", directions, directions[best]).astype(np.float32)
        nearest = np.maximum(nearest, cosines)
    return np.array(chosen, np.intp)


def explain(
    profile: UserProfile,
    indices: Indices,
    *,
    scores: Sequence[float],
    multiplier: Floats,
    model: FactorModel,
    items: Items,
) -> list[tuple[tuple[Reason, ...], float]]:
    """For each listed item, the reasons that add most to its score, and the rest of the score.

    `indices`: int32 (k,), the items of the list, with their `scores`. `multiplier`: float32 (k,), what boosts
    multiplied each score by; contributions are multiplied alike. They come from the exact solve of the user's
    history. A vector trained in a few iterations differs from it; that difference is in the rest.
    """
    history, found = profile.history_row(len(items.ids)), []
    for start in range(0, len(indices), _TARGETS_AT_ONCE):
        block = slice(start, start + _TARGETS_AT_ONCE)
        parts = model.contributions(history, indices[block], emphasis=profile.emphasis) * multiplier[block, None]
        found += [
            _reasons(row, score, history.indices, items) for row, score in zip(parts, scores[block], strict=True)
        ]
    return found


def _reasons(parts: Doubles, score: float, history: Indices, items: Items) -> tuple[tuple[Reason, ...], float]:
    """`parts`: float64 (m,), what each item of `history`, int32 (m,), adds to `score`."""
    largest = [int(at) for at in np.argsort(-parts, kind="stable")[:N_REASONS] if parts[at] > 0]
    reasons = tuple(
        Reason(items.ids.id_at(int(history[at])), items.title(int(history[at])), float(parts[at])) for at in largest
    )
    return reasons, score - sum(reason.contribution for reason in reasons)
