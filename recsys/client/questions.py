"""What is sent to the service: questions, and the events that they come with. None is the service's default."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from recsys.client.unset import UNSET, Unset


@dataclass(frozen=True)
class Event:
    """One thing that a user did. `event`: its kind; `timestamp`: seconds since 1970 or a time, by default now."""

    item_id: str
    event: str | None = None
    value: float | None = None
    timestamp: float | datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Question:
    """A list for a user, with conditions; docs/api.md describes each.

    `user_id`: whose stored history counts, None for a visitor. `events`: what the user did in addition. `session_id`:
    whose posted events count too. `fresh`: False leaves out what was posted since the log of the version ends.
    """

    user_id: str | None = None
    events: Sequence[Event] | None = None
    k: int | None = None
    exclude_seen: bool | None = None
    filter: str | None = None
    include: Sequence[str] | None = None
    exclude: Sequence[str] | None = None
    boosts: Mapping[str, float] | None = None
    diversity: float | None = None
    new_share: float | None = None
    explain: bool | None = None
    strict: bool | None = None
    fields: Sequence[str] | None = None
    session_id: str | None = None
    fresh: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a page; docs/pages.md describes each `kind`. `item_id`: what a row of kind `similar` is about."""

    kind: str
    title: str | None = None
    k: int | None = None
    filter: str | None = None
    diversity: float | None = None
    item_id: str | None = None


@dataclass(frozen=True)
class PostedEvent:
    """One thing that a user or a visitor did, to be kept.

    `event_id`: its name among all, such as a UUID: sent again, it counts once. `user_id` may be left out if there is
    a `session_id`. `recommendation_id`, `place`: the list that led to it, and the item's place in it, from 1.
    """

    item_id: str
    user_id: str | None = None
    event: str | None = None
    value: float | None = None
    timestamp: float | datetime | None = None
    event_id: str | None = None
    session_id: str | None = None
    recommendation_id: str | None = None
    place: int | None = None


Attribute = str | bool | int | float | Sequence[str] | None
"""One attribute of an item; None if it is unknown."""


@dataclass(frozen=True, kw_only=True)
class ItemUpdate:
    """New values of an item. What is left out stays; None removes the title or an attribute."""

    item_id: str
    title: str | Unset | None = UNSET
    attributes: Mapping[str, Attribute] | None = None
