"""What can be asked: questions, the events they come with, and the bounds of every parameter.

Messages name the parameter and what was expected. They never repeat what came: the HTTP service sends them on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from recsys.errors import InvalidRequestError

MAX_K = 1000
"""Length of the longest list."""

MAX_ID_BYTES = 256
"""Length of the longest id, in bytes of UTF-8."""

MAX_EVENTS = 10_000
"""The most events of one question."""

MAX_VALUE = 1e9
"""The largest value of one event."""

MAX_TIMESTAMP = 253_402_300_799
"""UTC seconds, the end of the year 9999; milliseconds taken for seconds lie beyond it."""

MAX_LISTED, MAX_BOOSTED = 10_000, 1_000
"""The most ids of `include` and of `exclude`, and of `boosts`."""

MAX_BOOST = 1_000.0
"""The largest factor of a boost; the smallest is one over it."""

MAX_CANDIDATES = 10_000
"""The most items that `Engine.rank` puts in order at once."""

MAX_VIEWED = 1_000
"""The most items of `Engine.items`."""

MAX_COMPARED = 1_000
"""The most positive and the most negative items of `Engine.similar_to`."""


@dataclass(frozen=True)
class Event:
    """One thing that a user did, in the terms of the log.

    `event`: its kind, None if unknown. `value`: the quantity, rating, play count ... `timestamp`: UTC seconds, None
    for what has just happened.
    """

    item_id: str
    event: str | None = None
    value: float = 1.0
    timestamp: float | None = None


@dataclass(frozen=True, kw_only=True)
class Question:
    """Who wants a list, and which.

    `user_id`: the user whose stored history counts; None for a visitor. `events`: what the user did in addition. If
    both are given, they are one history. `exclude_seen`: leave out the user's stored items and the items of `events`.

    `filter`: a condition on the items' attributes (docs/filters.md). `include`: only these items may be listed.
    `exclude`: these may not. `boosts`: a factor per item id, which multiplies the item's score; a factor above 1
    always lifts an item, below 1 always lowers it, because a score below zero is divided instead. `diversity`: from
    0 to 1, how much an item counts for being unlike those before it (`diversified`).
    `explain`: give each item its reasons. `fields`: list each item with its attributes of these names.
    `strict`: raise instead of warn if the answer would be a fallback or short, or if the question names
    unknown items.
    """

    user_id: str | None = None
    events: tuple[Event, ...] = ()
    k: int = 10
    exclude_seen: bool = True
    filter: str | None = None
    include: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    boosts: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    diversity: float = 0.0
    explain: bool = False
    strict: bool = False
    fields: tuple[str, ...] = ()

    def check(self) -> None:
        """Raise InvalidRequestError if a bound is exceeded; events and filter are checked when they are read."""
        check_k(self.k)
        if self.user_id is not None:
            check_id(self.user_id, "user_id")
        check_number(self.diversity, "diversity", 0, 1)
        if self.include is not None and not self.include:
            raise InvalidRequestError("include: holds no id; leave it out if every item may be listed")
        check_ids(self.include or (), "include", MAX_LISTED)
        check_ids(self.exclude, "exclude", MAX_LISTED)
        check_ids(tuple(self.boosts), "boosts", MAX_BOOSTED)
        for factor in self.boosts.values():
            check_number(factor, "boosts", 1 / MAX_BOOST, MAX_BOOST)


def check_events(events: Sequence[Event]) -> None:
    """Raise InvalidRequestError if there are more than MAX_EVENTS, or an id or number is out of bounds."""
    if len(events) > MAX_EVENTS:
        raise InvalidRequestError(f"events: {len(events)} came; expected at most {MAX_EVENTS}")
    for at, event in enumerate(events):
        check_id(event.item_id, f"events.{at}.item_id")
        check_number(event.value, f"events.{at}.value", -MAX_VALUE, MAX_VALUE)
        if event.timestamp is not None:
            check_number(event.timestamp, f"events.{at}.timestamp, in UTC seconds", 0, MAX_TIMESTAMP)


def check_k(k: int, name: str = "k") -> None:
    """Raise InvalidRequestError, which calls `k` `name`, unless it is a whole number from 1 to MAX_K."""
    if not isinstance(k, int) or isinstance(k, bool) or not 1 <= k <= MAX_K:
        raise InvalidRequestError(f"{name}: expected a whole number from 1 to {MAX_K}")


def check_ids(ids: Sequence[str], name: str, most: int) -> None:
    """Raise InvalidRequestError, which calls `ids` `name`, if there are more than `most`, or one is not an id."""
    if len(ids) > most:
        raise InvalidRequestError(f"{name}: {len(ids)} ids came; expected at most {most}")
    for external_id in ids:
        check_id(external_id, name)


def check_id(external_id: str, name: str) -> None:
    """Raise InvalidRequestError, which calls the id `name`, unless it is 1 to MAX_ID_BYTES bytes of UTF-8."""
    try:
        size = len(external_id.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise InvalidRequestError(f"{name}: holds a character that UTF-8 cannot encode") from error
    if not 1 <= size <= MAX_ID_BYTES:
        raise InvalidRequestError(f"{name}: {size} bytes of UTF-8; expected 1 to {MAX_ID_BYTES}")


def check_number(value: float, name: str, low: float, high: float) -> None:
    """Raise InvalidRequestError, which calls `value` `name`, unless it is a number from `low` to `high`."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidRequestError(f"{name}: expected a number from {low:g} to {high:g}")
