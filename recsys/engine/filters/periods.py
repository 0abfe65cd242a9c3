"""Periods: the years, months, days and times that a filter writes as text."""

import re
from dataclasses import dataclass
from typing import Literal as OneOf

import numpy as np

_FORM = re.compile(
    r"(?P<Y>\d{4})(-(?P<M>\d\d)(-(?P<D>\d\d)([T ](?P<h>\d\d)(:(?P<m>\d\d)(:(?P<s>\d\d)(?P<us>\.\d{1,6})?)?)?"
    r"(?P<zone>Z|[+-]\d\d(:?\d\d)?)?)?)?)?",
    re.ASCII,
)
_UNITS: tuple[OneOf["us", "s", "m", "h", "D", "M", "Y"], ...] = ("us", "s", "m", "h", "D", "M", "Y")


@dataclass(frozen=True)
class Period:
    """From `start` to before `end`: microseconds since 1970, UTC."""

    start: int
    end: int


def period_of(text: str) -> Period | None:
    """The period of ISO 8601 text: a year (`2024`), a month, a day, or a time to the precision that is written.

    A time without a zone is in UTC. None if the text is no such period.
    """
    if (found := _FORM.fullmatch(text.strip())) is None:
        return None
    zone, unit = found["zone"] or "", next(unit for unit in _UNITS if found[unit])
    try:
        start = np.datetime64(text.strip().removesuffix(zone), unit)
    except ValueError:  # such as month 13
        return None
    offset = _offset(zone)
    return Period(_micros(start) - offset, _micros(start + 1) - offset)


def _micros(time: np.datetime64) -> int:
    return int(time.astype("datetime64[us]").astype(np.int64))


def _offset(zone: str) -> int:
    """Microseconds that a zone is ahead of UTC."""
    if zone in ("", "Z"):
        return 0
    minutes = 60 * int(zone[1:3]) + int(zone[3:].lstrip(":") or 0)
    return (-1 if zone[0] == "-" else 1) * minutes * 60_000_000
