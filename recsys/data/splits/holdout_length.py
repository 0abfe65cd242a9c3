"""The length of a temporal holdout: as set, or as it suits the log."""

from recsys.config import EvaluateConfig
from recsys.data.interactions import Interactions
from recsys.data.log_span import LogSpan

_HOUR, _DAY = 3_600, 86_400
LENGTHS = (*(hours * _HOUR for hours in (1, 3, 6, 12)), *(days * _DAY for days in (1, 2, 3, 7, 14, 28)))
"""Seconds. Few lengths, so that a growing log keeps one for long and its nights can be compared."""

_SHARE, _KEPT_SHARE = 5, 4


def suited_length(span_seconds: int) -> int:
    """The longest of LENGTHS that is at most a fifth of a log that spans `span_seconds`; at least the shortest."""
    return max((length for length in LENGTHS if length * _SHARE <= span_seconds), default=LENGTHS[0])


def with_length(evaluate: EvaluateConfig, events: Interactions, *, before: int | None = None) -> EvaluateConfig:
    """`evaluate` with the length of the holdout that suits `events`, if it is a temporal split without one.

    `before`: the length that the last night had, in seconds. One of LENGTHS stays up to a quarter of the log, so that
    a log whose span varies keeps one length and its nights can be compared.
    """
    if not is_open(evaluate) or events.timestamp is None or len(events) == 0:
        return evaluate
    return with_length_of(evaluate, LogSpan.of(events.timestamp).seconds, before=before)


def is_open(evaluate: EvaluateConfig) -> bool:
    """Whether the log decides the length of the holdout."""
    return evaluate.split == "temporal" and evaluate.holdout is None


def with_length_of(evaluate: EvaluateConfig, span_seconds: int, *, before: int | None = None) -> EvaluateConfig:
    """The same for a log that spans `span_seconds`, if the length is open."""
    if not is_open(evaluate):
        return evaluate
    length = suited_length(span_seconds)
    if before in LENGTHS and length < before <= span_seconds / _KEPT_SHARE:
        length = before
    return evaluate.model_copy(update={"holdout": length})
