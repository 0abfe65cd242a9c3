"""Validation: the part of a log on which settings may be chosen, so that its holdout stays unseen."""

from dataclasses import dataclass

import numpy as np

from recsys.config import EvaluateConfig
from recsys.data.interactions import Interactions
from recsys.data.splits.strategies import split_events, split_pairs

_SHARE_OF_GIVEN = 0.2
"""A split that somebody else cut says nothing of how: a fifth of each user's items is held out, as is usual."""


@dataclass(frozen=True, eq=False)
class ValidationPart:
    """What `make_split` takes to split the train side of a log once more.

    `events`: nothing of the holdout is among them. `evaluate`: how to split them. `given`: the held-out events where
    the split is "given".
    """

    events: Interactions
    evaluate: EvaluateConfig
    given: Interactions | None = None


def validation_part(events: Interactions, evaluate: EvaluateConfig) -> ValidationPart:
    """Split `events` as `evaluate` says, throw the holdout away, and say how to cut what is left once more.

    "temporal": as long before the cut as the holdout is after it. "last_n": the last n items of what is left.
    "held_out_users": other users, by another seed. "given": the log is the train side; a random fifth of each
    user's items is held out. Every user is evaluated: `max_users` is taken out.
    Raises ConfigError where the events lack a column the cut needs, DataError where a side is left empty.
    """
    everybody = evaluate.model_copy(update={"max_users": None})
    rng = np.random.default_rng(evaluate.seed)
    if evaluate.split == "given":
        cut = split_pairs(events, item_share=_SHARE_OF_GIVEN, rng=rng)
        return ValidationPart(cut.train, everybody, cut.holdout)
    train = split_events(events, evaluate, rng=rng).train
    if evaluate.split == "held_out_users":
        everybody = everybody.model_copy(update={"seed": evaluate.seed + 1})
    return ValidationPart(train, everybody)
