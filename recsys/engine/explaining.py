"""Reasons of a list: which items of the history carried each recommended one."""

from collections.abc import Sequence

import numpy as np

from recsys.data.arrays import Floats, Indices
from recsys.data.items import Items
from recsys.engine.answers import Reason
from recsys.engine.user_profiles import UserProfile, row_of
from recsys.models.factors.fold_in import Doubles
from recsys.models.factors.training import TrainedModel

N_REASONS = 3
"""So many reasons are named at most; the others are in the rest."""

_TARGETS_AT_ONCE = 64


def explain(
    person: UserProfile,
    indices: Indices,
    scores: Sequence[float],
    multiplier: Floats,
    *,
    model: TrainedModel,
    items: Items,
) -> list[tuple[tuple[Reason, ...], float]]:
    """For each listed item, the reasons that add most to its score, and the rest of the score.

    `indices`: int32 (k,), with their `scores`, the list of `person`. `multiplier`: float32 (k,), what boosts
    multiplied each score by; contributions are multiplied alike. They come from the exact solve of the person's
    history; what a vector trained in a few iterations differs from it is in the rest.
    """
    history, found = row_of(*person.history, n_items=len(items.ids)), []
    for start in range(0, len(indices), _TARGETS_AT_ONCE):
        block = slice(start, start + _TARGETS_AT_ONCE)
        parts = model.contributions(history, indices[block]) * multiplier[block, None]
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
