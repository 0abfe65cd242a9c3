"""LogSpan: where a log begins and ends, whatever a few clocks that were wrong say.

A log ends at its newest event, unless a gap that its own rhythm cannot explain separates a few newest events from all
others: a gap of more than three days that is more than three times the longest gap between the other events. Then it
ends before the gap. Up to a thousandth of the events can be left out so, of a small log up to three and a tenth. The
beginning is found in the same way. Such events are kept and counted; they only move no date.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Seconds

_LEAST_GAP = 3 * 86_400
HOUR = 3_600
"""Seconds."""
_TIMES_THE_RHYTHM = 3
_LATEST = np.iinfo(np.int64).max
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
        return LogSpan._of_ends(_end(timestamp), _end(-timestamp), int(timestamp.min()), int(timestamp.max()))

    @staticmethod
    def of_hours(hours: "HourCounts") -> "LogSpan":
        """The same span from the events by hour, at least one."""
        ends = hours.end(), hours.reversed().end()
        return LogSpan._of_ends(*ends, int(hours.first[0]), int(hours.last[-1]))

    @staticmethod
    def _of_ends(end: tuple[int, int], reversed_end: tuple[int, int], oldest: int, newest: int) -> "LogSpan":
        (last, n_after), (first, n_before) = end, reversed_end
        return LogSpan(-first, last, n_before, n_after, oldest, newest)

    @property
    def seconds(self) -> int:
        """From beginning to end."""
        return self.last - self.first


@dataclass(frozen=True, eq=False)
class HourCounts:
    """The events of a log by hour, in order; hours without events are left out.

    `first`, `last`: int64 (n,), UTC seconds of the oldest and the newest event of each hour. `count`: int64 (n,), its
    events. Gaps within an hour move no end, so this is all that a span depends on.
    """

    first: Seconds
    last: Seconds
    count: NDArray[np.int64]

    @staticmethod
    def of(timestamp: Seconds) -> "HourCounts":
        """Of events at `timestamp`, int64 (n,), in any order."""
        ordered = np.sort(timestamp)
        starts = np.flatnonzero(np.diff(ordered // HOUR, prepend=ordered[:1] // HOUR - 1))
        count = np.diff(starts, append=len(ordered))
        return HourCounts(ordered[starts], ordered[starts + count - 1], count)

    @staticmethod
    def merged(parts: Sequence["HourCounts"]) -> "HourCounts":
        """Of all events of several logs; at least one."""
        first, last, count = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("first", "last", "count")
        )
        hour, place = np.unique(first // HOUR, return_inverse=True)
        merged = HourCounts(np.full(len(hour), _LATEST), np.full(len(hour), -_LATEST), np.zeros(len(hour), np.int64))
        np.minimum.at(merged.first, place, first)
        np.maximum.at(merged.last, place, last)
        np.add.at(merged.count, place, count)
        return merged

    def reversed(self) -> "HourCounts":
        """Of the same events if time ran backwards."""
        return HourCounts(-self.last[::-1], -self.first[::-1], self.count[::-1])

    def end(self) -> tuple[int, int]:
        """The end, and the number of events after it."""
        n_strays, n_gaps = most_strays(int(self.count.sum())), int(self.count.sum()) - 1
        gap, before = self.first[1:] - self.last[:-1], np.cumsum(self.count)[:-1] - 1
        longest = int(gap[(before >= n_strays) & (before < n_gaps - n_strays)].max(initial=0))
        for at in np.flatnonzero(before >= n_gaps - n_strays):
            if gap[at] > max(_LEAST_GAP, _TIMES_THE_RHYTHM * longest):
                return int(self.last[at]), n_gaps - int(before[at])
            longest = max(longest, int(gap[at]))
        return int(self.last[-1]), 0


def end_of_log(timestamp: Seconds) -> int:
    """When a log with events at `timestamp`, int64 (n,), at least one, ends: UTC seconds."""
    return _end(timestamp)[0]


def _end(timestamp: Seconds) -> tuple[int, int]:
    """The end, and the number of events after it."""
    newest, n_strays = int(timestamp.max()), most_strays(len(timestamp))
    # If there are more events than that within the least gap, none of them is behind such a gap: no need to sort.
    if n_strays == 0 or np.count_nonzero(timestamp >= newest - _LEAST_GAP) > n_strays:
        return newest, 0
    return HourCounts.of(timestamp).end()


def most_strays(n_events: int) -> int:
    """How many events of `n_events` may lie outside of the log's span, on either side."""
    return min(max(_ALWAYS, n_events // _SHARE), n_events // _SMALL_SHARE)
