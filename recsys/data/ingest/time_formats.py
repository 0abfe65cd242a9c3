"""Formats of strptime that a text may be written in, for messages."""

from datetime import datetime
from itertools import product

_DAYS = (
    "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%Y/%m/%d", "%Y-%m-%d", "%Y%m%d",
    "%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%m/%d/%y", "%d/%m/%y",
)  # fmt: skip
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")


def formats_that_fit(text: str) -> list[str]:
    """The formats in which `text` is a time: both if it does not show whether the month or the day comes first."""
    return [day + clock for day, clock in product(_DAYS, _CLOCKS) if _fits(text.strip(), day + clock)]


def _fits(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form)
    except ValueError:
        return False
    return True
