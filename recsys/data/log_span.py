"""LogSpan: where a log begins and ends, whatever a few clocks that were wrong say.

A log ends at its newest event, unless a gap that its own rhythm cannot explain separates a few newest events from all
others: a gap of more than three days that is more than three times the longest gap between the other events. Then it
ends before the gap. Up to a thousandth of the events can be left out so, of a small log up to three and a tenth. The
beginning is found in the same way. Such events are kept and counted; they only move no date.
"""

from dataclasses import dataclass

import numpy as np

from recsys.data.arrays import Seconds

_LEAST_GAP = 3 * 86_400
_TIMES_THE_RHYTHM = 3
_SHARE, _ALWAYS, _SMALL_SHARE = 1_000, 3, 10
"""A stray share is up to 1 / 1,000 of the events; up to 3 of a smaller log, but never more than 1 / 10."""


@dataclass(frozen=True)
class LogSpan:
    """When a log begins and ends: `first` and `last`, UTC seconds.

    `n_before`, `n_after`: events outside of them. `oldest`, `newest`: UTC seconds of the oldest and the newest event.
    """

    first: int
    last: int
    n_before: int
    n_after: int
    oldest: int
    newest: int

    @staticmethod
    def of(timestamp: Seconds) -> "LogSpan":
        """The span of events at `timestamp`, int64 (n,), UTC seconds, in any order, at least one."""
        last, n_after = _end(timestamp)
        first, n_before = _end(-timestamp)
        return LogSpan(-first, last, n_before, n_after, int(timestamp.min()), int(timestamp.max()))

    @property
    def seconds(self) -> int:
        """From beginning to end."""
        return self.last - self.first


def end_of_log(timestamp: Seconds) -> int:
    """When a log with events at `timestamp`, int64 (n,), at least one, ends: UTC seconds."""
    return _end(timestamp)[0]


def _end(timestamp: Seconds) -> tuple[int, int]:
    """The end, and the number of events after it."""
    newest, n_strays = int(timestamp.max()), most_strays(len(timestamp))
    # If there are more events than that within the least gap, none of them is behind such a gap: no need to sort.
    if n_strays == 0 or np.count_nonzero(timestamp >= newest - _LEAST_GAP) > n_strays:
        return newest, 0
    ordered = np.sort(timestamp)
    gaps = np.diff(ordered)
    longest = int(gaps[n_strays : len(gaps) - n_strays].max(initial=0))
    for at in range(len(gaps) - n_strays, len(gaps)):
        if gaps[at] > max(_LEAST_GAP, _TIMES_THE_RHYTHM * longest):
            return int(ordered[at]), len(gaps) - at
        longest = max(longest, int(gaps[at]))
    return newest, 0


def most_strays(n_events: int) -> int:
    """How many events of `n_events` may lie outside of the log's span, on either side."""
    return min(max(_ALWAYS, n_events // _SHARE), n_events // _SMALL_SHARE)
