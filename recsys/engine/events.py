"""What somebody did, as whoever asks tells it."""

from collections.abc import Sequence
from dataclasses import dataclass

from recsys.engine.bounds import check_id, check_number
from recsys.errors import InvalidRequestError

MAX_EVENTS = 10_000
"""The most events of one question."""

MAX_VALUE = 1e9
"""The largest value of one event."""

MAX_TIMESTAMP = 253_402_300_799
"""UTC seconds, the end of the year 9999; milliseconds taken for seconds lie beyond it."""


@dataclass(frozen=True)
class Event:
    """One thing that somebody did, in the words of the log.

    `event`: its kind, None where it is not known. `value`: the quantity, rating, play count ... `timestamp`: UTC
    seconds, None for what has just happened.
    """

    item_id: str
    event: str | None = None
    value: float = 1.0
    timestamp: float | None = None


def check_events(events: Sequence[Event]) -> None:
    """Raise InvalidRequestError where there are more than MAX_EVENTS, or an id or number is out of bounds."""
    if len(events) > MAX_EVENTS:
        raise InvalidRequestError(f"events: {len(events)} came; expected at most {MAX_EVENTS}")
    for at, event in enumerate(events):
        check_id(event.item_id, f"events.{at}.item_id")
        check_number(event.value, f"events.{at}.value", -MAX_VALUE, MAX_VALUE)
        if event.timestamp is not None:
            check_number(event.timestamp, f"events.{at}.timestamp, in UTC seconds", 0, MAX_TIMESTAMP)
