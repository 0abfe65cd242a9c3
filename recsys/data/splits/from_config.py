"""The matrix and the split that a configuration makes of its log."""

from typing import Any

from recsys.config import EvaluateConfig, LogConfig, PrepareConfig
from recsys.data.cleaning import CleaningSummary, build_history, build_matrix
from recsys.data.interactions import Interactions
from recsys.data.matrix import InteractionMatrix
from recsys.data.splits.split import Split, make_split


def matrix_of(
    events: Interactions, log: LogConfig, prepare: PrepareConfig, now: int | None = None
) -> tuple[InteractionMatrix, CleaningSummary]:
    """The matrix that this configuration makes of `events`; `now` as in `build_matrix`."""
    return build_matrix(events, prepare, now=now, **_weighing(log))


def history_of(
    events: Interactions, log: LogConfig, prepare: PrepareConfig, now: int | None = None
) -> InteractionMatrix:
    """What users are known by, weighed as in `matrix_of`, with nobody left out."""
    return build_history(events, prepare, now=now, **_weighing(log))


def split_of(
    events: Interactions,
    *,
    log: LogConfig,
    prepare: PrepareConfig,
    evaluate: EvaluateConfig,
    given: Interactions | None,
) -> Split:
    """The split that this configuration makes; cleaning looks at train events only."""
    return make_split(
        events,
        evaluate,
        build=lambda train, now: matrix_of(train, log, prepare, now)[0],
        weigh=lambda history, now: history_of(history, log, prepare, now),
        given=given,
    )


def _weighing(log: LogConfig) -> dict[str, Any]:
    return {"event_weights": log.event_weights, "net": log.non_positive == "net"}
