"""What is sent to the service: questions, and the events that they come with. None is the service's default."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime


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

    `user_id`: whose stored history counts, None for a visitor. `events`: what the user did in addition.
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
