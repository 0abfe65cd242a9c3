"""Words of what people did with the lists."""

from collections.abc import Sequence

from recsys.evaluation.number_format import percent
from recsys.online.figures import Estimate

NOTE = (
    "Click-through: lists with at least one event that carries their id. Conversion: users with {} at or after their"
    " first list. Users: also sessions of visitors, and lists of nobody known. Days are UTC; intervals of 95 % over"
    " users, none for fewer than 30."
)


def note(conversions: Sequence[str] = ()) -> str:
    """What the figures are."""
    return NOTE.format(f"an event of {' or '.join(conversions)}" if conversions else "any event")


def rate_text(found: Estimate) -> str:
    """A share with its interval: "4.1 % (3.2 % to 5 %)"; empty if there is none."""
    if found.value is None:
        return ""
    if found.low is None or found.high is None:
        return percent(found.value)
    return f"{percent(found.value)} ({percent(found.low)} to {percent(found.high)})"
