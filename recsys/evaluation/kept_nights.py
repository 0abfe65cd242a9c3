"""Kept nights: the versions that a new night is compared with, and the course that their counts took."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recsys.data.profile import LogProfile

COURSE_NIGHTS = 14
"""The course is that of up to this many of the latest kept versions."""

MIN_COURSE_NIGHTS = 5
"""With fewer versions there is no usual course: one sale among them would be taken for the rule."""


@dataclass(frozen=True, kw_only=True)
class KeptNight:
    """A kept version, as far as nights are compared by it.

    `made_at`: UTC seconds. `gone_users`: share of the users of the version before it that its log lacked, None if
    unknown. `accepted`: names of the gates that were accepted on purpose.
    """

    version: str
    made_at: int
    profile: LogProfile
    gone_users: float | None = None
    accepted: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Night:
    """A night before it is published. `now`: UTC seconds.

    `gone_users`: share of the serving version's users that the log lacks, None if no version serves.
    """

    profile: LogProfile
    now: int
    gone_users: float | None = None


@dataclass(frozen=True)
class Course:
    """The `serving` version, and up to COURSE_NIGHTS `kept` ones with it, oldest first and `serving` last."""

    kept: tuple[KeptNight, ...]

    @property
    def serving(self) -> KeptNight:
        """The version that serves."""
        return self.kept[-1]

    def regular(self, gate: str) -> list[KeptNight]:
        """The versions for which `gate` was not accepted on purpose, so that they are no exceptions."""
        return [night for night in self.kept if gate not in night.accepted]


def expected_next(values: Sequence[float]) -> float | None:
    """What follows `values` if they go on as they usually did; None for fewer than MIN_COURSE_NIGHTS.

    The line with the median of all slopes between two values (Theil 1950, Sen 1968): a few outliers, such as the
    nights of a sale (three of fourteen), do not move it.
    """
    if len(values) < MIN_COURSE_NIGHTS:
        return None
    at, y = np.arange(len(values)), np.asarray(values, np.float64)
    first, second = np.triu_indices(len(values), 1)
    slope = float(np.median((y[second] - y[first]) / (at[second] - at[first])))
    return float(np.median(y - slope * at)) + slope * len(values)


_NEAR, _FAR = 1.25, 1.5
_KIND_SHARE, _KIND_FACTOR = 0.01, 2.0


@dataclass(frozen=True)
class Comparable:
    """The version that a night's quality is compared with, None if there is none.

    `because`: why it is not the serving version; None if it is.
    """

    night: KeptNight | None
    because: str | None = None


def find_comparable(night: Night, course: Course) -> Comparable:
    """The serving version if its log is like tonight's, else the latest kept one whose log is.

    Lists of a small log are easier to predict: after a night that had lost most customers, the next right one looks
    worse on the very users that both have. Logs are alike if users, items and accepted rows differ by up to a
    quarter, and no kind of event by a factor of two. If no kept version's is, the serving one may differ by a half.
    """
    serving, now = course.serving, night.profile
    if _alike(now, serving.profile, _NEAR):
        return Comparable(serving)
    because = _difference(now, serving.profile)
    earlier = (kept for kept in reversed(course.kept[:-1]) if _alike(now, kept.profile, _NEAR))
    if (found := next(earlier, None)) is not None:
        return Comparable(found, because)
    return Comparable(serving) if _alike(now, serving.profile, _FAR) else Comparable(None, because)


def _alike(one: LogProfile, other: LogProfile, factor: float) -> bool:
    sizes = zip(_sizes(one).values(), _sizes(other).values(), strict=True)
    return all(_within(a, b, factor) for a, b in sizes) and _same_kinds(one, other)


def _sizes(profile: LogProfile) -> dict[str, int | None]:
    return {"users": profile.n_users, "items": profile.n_items, "accepted rows": profile.accepted}


def _within(one: float | None, other: float | None, factor: float) -> bool:
    """Whether the larger is up to `factor` times the smaller; an unknown one decides nothing."""
    return one is None or other is None or max(one, other) <= factor * min(one, other)


def _same_kinds(one: LogProfile, other: LogProfile) -> bool:
    shares = [(one.events.get(kind, 0.0), other.events.get(kind, 0.0)) for kind in {**one.events, **other.events}]
    return all(max(pair) < _KIND_SHARE or _within(*pair, _KIND_FACTOR) for pair in shares)


def _difference(now: LogProfile, before: LogProfile) -> str:
    """ "its log has 668 users, tonight's 3,341", for the count that differs most."""
    sizes = {name: (size, _sizes(now)[name]) for name, size in _sizes(before).items()}
    known = {name: (a, b) for name, (a, b) in sizes.items() if a is not None and b is not None}
    most = max(known, key=lambda name: max(known[name]) / max(min(known[name]), 1), default=None)
    if most is None or _within(*known[most], _NEAR):
        return "its log has other kinds of events"
    return f"its log has {known[most][0]:,} {most}, tonight's {known[most][1]:,}"
