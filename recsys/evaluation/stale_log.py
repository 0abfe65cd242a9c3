"""A stale log: the newest event goes back, or has not moved on as the clock and the nights before did."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np

from recsys.config import LimitsConfig, duration_text
from recsys.evaluation.gates import Gate
from recsys.evaluation.kept_nights import Course, KeptNight, Night

FINISHED_SECONDS = 30 * 86_400
"""A log that is further behind the clock than this is complete, and is not expected to grow."""

_HOUR, _DAY = 3600, 86_400


def newest_event_gate(name: str, night: Night, course: Course | None, limits: LimitsConfig) -> Gate | None:
    """Refuses a stale log, and one that has lost its times; None if it never had any.

    A log that stands still only for one night is a warning.
    """
    newest = night.profile.newest_event
    before = None if course is None else course.serving.profile.newest_event
    if newest is None:
        lost = "the log has no times, the serving version's has (log.timestamp)"
        return None if before is None else Gate(name, False, lost)
    detail = f"newest event {_time(newest)}, {_span(night.now - newest)} before the run"
    detail += "" if before is None else f"; the serving version's is {_time(before)}"
    if fault := next(_faults(night, newest, course, limits), None):
        return Gate(name, False, f"{detail}; {fault}")
    if course is not None and before is not None and newest <= before and _usual_move(night, course) > 0:
        return Gate(name, True, f"{detail}; it has not moved on, which it usually does", warning=True)
    return Gate(name, True, detail)


def _faults(night: Night, newest: int, course: Course | None, limits: LimitsConfig) -> Iterator[str]:
    oldest = limits.max_log_age
    if oldest is not None and night.now - newest > oldest:
        yield f"it may be up to {duration_text(oldest)} old (publish.limits.max_log_age)"
    if course is None or (before := course.serving.profile.newest_event) is None:
        return
    if newest < before - limits.max_step_back:
        yield f"it goes back by {_span(before - newest)} (publish.limits.max_step_back)"
    if (behind := _behind(night, newest, course)) > limits.max_stale:
        limit = f"{duration_text(limits.max_stale)} are allowed (publish.limits.max_stale)"
        yield f"it is {_span(behind)} behind its usual course; {limit}"


def _behind(night: Night, newest: int, course: Course) -> float:
    """Seconds by which the newest event is further behind the clock than usual, or has moved on less than usual."""
    kept_nights = [kept for kept in course.regular("newest_event") if kept.profile.newest_event is not None]
    lags = [kept.made_at - (kept.profile.newest_event or 0) for kept in kept_nights]
    usual_lag = float(np.median(lags)) if lags else np.inf
    by_clock = night.now - newest - usual_lag if usual_lag <= FINISHED_SECONDS else 0.0
    moved = newest - (course.serving.profile.newest_event or newest)
    return max(by_clock, _usual_move(night, course) - moved)


def _usual_move(night: Night, course: Course) -> float:
    """Seconds by which the newest event usually moves on in the time since the serving version.

    It needs three kept versions. 0 if less than half the usual time has passed, as when a night is repeated.
    """
    moves = list(_moves(course.regular("newest_event")))
    if len(moves) < 2:
        return 0.0
    usual_pause, usual_move = np.median([pause for pause, _ in moves]), np.median([move for _, move in moves])
    pause = night.now - course.serving.made_at
    if pause < usual_pause / 2 or usual_move <= 0:
        return 0.0
    return float(usual_move) * min(1.0, pause / max(float(usual_pause), 1.0))


def _moves(kept: Sequence[KeptNight]) -> Iterator[tuple[int, int]]:
    """Between each kept version and the next: seconds on the clock, and in the log."""
    for one, other in pairwise(kept):
        if one.profile.newest_event is not None and other.profile.newest_event is not None:
            yield other.made_at - one.made_at, other.profile.newest_event - one.profile.newest_event


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


def _span(seconds: float) -> str:
    """ "5 minutes", "7 hours", "12 days"."""
    for unit, size in (("day", _DAY), ("hour", _HOUR), ("minute", 60)):
        if abs(seconds) >= 2 * size or unit == "minute":
            return f"{round(seconds / size):,} {unit}s"
    raise AssertionError
