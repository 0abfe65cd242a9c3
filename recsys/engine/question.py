"""What can be asked: questions, the events they come with, and the bounds of every parameter.

Messages name the parameter and what was expected. They never repeat what came: the HTTP service sends them on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import starmap
from numbers import Integral
from types import MappingProxyType

from recsys.engine.ids import check_id, check_ids, id_text, id_texts, is_number, listed
from recsys.errors import InvalidRequestError

MAX_K = 1000
"""Length of the longest list."""

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

    def __post_init__(self) -> None:
        object.__setattr__(self, "item_id", id_text(self.item_id, "item_id"))
        if not isinstance(self.event, str | None):
            raise InvalidRequestError(f"event: expected a text, got {type(self.event).__name__}")


@dataclass(frozen=True, kw_only=True)
class Question:
    """Who wants a list, and which.

    `user_id`: the user whose stored history counts; None for a visitor. `events`: what the user did in addition. If
    both are given, they are one history. `exclude_seen`: leave out the items that the user has seen, in the stored
    history or in `events`; None for what the version was evaluated with (`evaluate.exclude_seen`).

    `filter`: a condition on the items' attributes (docs/filters.md). `include`: only these items may be listed.
    `exclude`: these may not. `boosts`: a factor per item id, which multiplies the item's score; a factor above 1
    always lifts an item, below 1 always lowers it, because a score below zero is divided instead. `diversity`: from
    0 to 1, how much an item counts for being unlike those before it (`diversified`).
    `new_share`: from 0 to 1, the share of the list's places that is kept for new items (`NewPlaces`); None for that
    of the version (`cold_start.new_share`).
    `popular`: list the most popular items, whatever is known of the user; only what the user has seen is left out.
    `explain`: give each item its reasons. `fields`: list each item with its attributes of these names.
    `strict`: raise instead of warn if the answer would be a fallback or short, or if the question names
    unknown items.

    Ids may be ints or numpy ints, taken as their digits; a list of ids may be any list, array or column of them.
    Raises InvalidRequestError for an id of another kind, for one text in the place of a list, and for `k`.
    """

    user_id: str | None = None
    events: tuple[Event, ...] = ()
    k: int = 10
    exclude_seen: bool | None = None
    filter: str | None = None
    include: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    boosts: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    diversity: float = 0.0
    new_share: float | None = None
    popular: bool = False
    explain: bool = False
    strict: bool = False
    fields: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        plain: dict[str, object] = {
            "user_id": None if self.user_id is None else id_text(self.user_id, "user_id"),
            "events": _events(self.events),
            "include": None if self.include is None else id_texts(self.include, "include"),
            "exclude": id_texts(self.exclude, "exclude"),
            "fields": _names(self.fields),
            "k": check_k(self.k),
        }
        if self.boosts:
            plain["boosts"] = _boosts(self.boosts)
        for name, value in plain.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        """Only what differs from the defaults."""
        asked = {each.name: getattr(self, each.name) for each in fields(self)}
        usual = vars(_USUAL)
        return f"Question({', '.join(f'{name}={value!r}' for name, value in asked.items() if value != usual[name])})"

    def check(self) -> None:
        """Raise InvalidRequestError if a bound is exceeded; events and filter are checked when they are read."""
        if self.user_id is not None:
            check_id(self.user_id, "user_id")
        check_number(self.diversity, "diversity", 0, 1)
        if self.new_share is not None:
            check_number(self.new_share, "new_share", 0, 1)
        if self.include is not None and not self.include:
            raise InvalidRequestError("include: holds no id; leave it out if every item may be listed")
        check_ids(self.include or (), "include", MAX_LISTED)
        check_ids(self.exclude, "exclude", MAX_LISTED)
        check_ids(tuple(self.boosts), "boosts", MAX_BOOSTED)
        for factor in self.boosts.values():
            check_number(factor, "boosts", 1 / MAX_BOOST, MAX_BOOST)


def _names(fields: object) -> tuple[object, ...]:
    if type(fields) is tuple and not fields:
        return fields
    return tuple(listed(fields, "fields: expected a list of names"))


def _events(events: object) -> tuple[Event, ...]:
    if type(events) is tuple and not events:
        return events
    return tuple(starmap(_event, enumerate(listed(events, "events: expected a list of events"))))


def _event(at: int, event: object) -> Event:
    if isinstance(event, Event):
        return event
    raise InvalidRequestError(f"events.{at}: expected an Event, got {type(event).__name__}")


def _boosts(boosts: object) -> Mapping[str, float]:
    if not isinstance(boosts, Mapping):
        raise InvalidRequestError(f"boosts: expected a factor per item id, got {type(boosts).__name__}")
    return {id_text(item_id, "boosts"): factor for item_id, factor in boosts.items()}


def check_events(events: Sequence[Event]) -> None:
    """Raise InvalidRequestError if there are more than MAX_EVENTS, or an id or number is out of bounds."""
    if len(events) > MAX_EVENTS:
        raise InvalidRequestError(f"events: {len(events)} came; expected at most {MAX_EVENTS}")
    for at, event in enumerate(events):
        check_id(event.item_id, f"events.{at}.item_id")
        check_number(event.value, f"events.{at}.value", -MAX_VALUE, MAX_VALUE)
        if event.timestamp is not None:
            check_number(event.timestamp, f"events.{at}.timestamp, in UTC seconds", 0, MAX_TIMESTAMP)


def check_k(k: int, name: str = "k") -> int:
    """`k` as an int. Raises InvalidRequestError, which calls it `name`, unless it is whole and from 1 to MAX_K."""
    is_whole = type(k) is int or (isinstance(k, Integral) and not isinstance(k, bool))
    if not is_whole or not 1 <= k <= MAX_K:
        raise InvalidRequestError(f"{name}: expected a whole number from 1 to {MAX_K}")
    return int(k)


def check_number(value: float, name: str, low: float, high: float) -> None:
    """Raise InvalidRequestError, which calls `value` `name`, unless it is a number from `low` to `high`."""
    if not is_number(value) or not low <= value <= high:
        raise InvalidRequestError(f"{name}: expected a number from {low:g} to {high:g}")


_USUAL = Question()
