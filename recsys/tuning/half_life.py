"""Half-lives of events: those that the short search tries if `prepare.half_life_days` is not set."""

from collections.abc import Iterable

from recsys.data.interactions import Interactions
from recsys.data.log_span import LogSpan
from recsys.pipeline_config import PipelineConfig

HALF_LIFE = "half_life_days"
"""The key of `[prepare]`."""

_SHARES = (2, 8, 32)  # of the length of the log, tried first
_STEP = 2.0  # then twice and half the best of them
_DAY = 86_400

MOST_TRIED = len(_SHARES) + 2
"""How many are tried, at most."""


def may_be_chosen(config: PipelineConfig) -> bool:
    """Whether a night may choose the half-life: with `model.auto`, if the log has times and the key is not set.

    "none" is a value too: who sets it wants no decay.
    """
    is_set = HALF_LIFE in config.prepare.model_fields_set
    return config.model.auto and not is_set and config.log.timestamp is not None


def is_open(config: PipelineConfig, events: Interactions) -> bool:
    """Whether a night chooses the half-life of these `events`, see `may_be_chosen`."""
    return may_be_chosen(config) and events.timestamp is not None and len(events) > 0


def with_half_life(config: PipelineConfig, days: float | None) -> PipelineConfig:
    """`config` with this half-life, None for no decay."""
    return config.model_copy(update={"prepare": config.prepare.model_copy(update={HALF_LIFE: days})})


def first_half_lives(events: Interactions) -> tuple[float, ...]:
    """A half, an eighth and a thirty-second of the length of the log, in days; none if all events have one time."""
    if events.timestamp is None or not (seconds := LogSpan.of(events.timestamp).seconds):
        return ()
    return tuple(_rounded(seconds / _DAY / share) for share in _SHARES)


def half_lives_around(days: float) -> Iterable[float]:
    """Twice and half of `days`."""
    return _rounded(days * _STEP), _rounded(days / _STEP)


def _rounded(days: float) -> float:
    """To two digits, so that what is written down is what was measured."""
    return float(f"{days:.2g}")
