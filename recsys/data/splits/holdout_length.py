"""The length of a temporal holdout: as set, or as it suits the log."""

from recsys.config import EvaluateConfig
from recsys.data.interactions import Interactions
from recsys.data.log_span import LogSpan

_HOUR, _DAY = 3_600, 86_400
LENGTHS = (*(hours * _HOUR for hours in (1, 3, 6, 12)), *(days * _DAY for days in (1, 2, 3, 7, 14, 28)))
"""Seconds. Few lengths, so that a growing log keeps one for long and its nights can be compared."""

_SHARE = 5


def suited_length(span_seconds: int) -> int:
    """The longest of LENGTHS that is at most a fifth of a log that spans `span_seconds`; at least the shortest."""
    return max((length for length in LENGTHS if length * _SHARE <= span_seconds), default=LENGTHS[0])


def with_length(evaluate: EvaluateConfig, events: Interactions) -> EvaluateConfig:
    """`evaluate` with the length of the holdout that suits `events`, if it is a temporal split without one."""
    if evaluate.split != "temporal" or evaluate.holdout is not None:
        return evaluate
    if events.timestamp is None or len(events) == 0:
        return evaluate
    length = suited_length(LogSpan.of(events.timestamp).seconds)
    return evaluate.model_copy(update={"holdout": length})
