"""What became of events, and the events that are kept."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class RefusedEvent:
    """An event that is not kept: its place in the request, from 0, and why."""

    index: int
    code: str


@dataclass(frozen=True, kw_only=True)
class EventsTaken:
    """What became of posted events: accepted, duplicates and refused are all of them.

    `unknown_items`: kept events of items that the version does not have as yet.
    """

    accepted: int
    duplicates: int
    refused: tuple[RefusedEvent, ...] | None = None
    unknown_items: int | None = None


@dataclass(frozen=True, kw_only=True)
class KeptEvent:
    """One event as it is kept; times are seconds since 1970."""

    event_id: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    item_id: str
    event: str | None = None
    value: float
    timestamp: float
    received_at: float
    recommendation_id: str | None = None
    place: int | None = None


@dataclass(frozen=True, kw_only=True)
class EventPage:
    """Kept events, the latest first. `next`: `before` of the next page, None on the last one."""

    events: tuple[KeptEvent, ...]
    next: int | None = None


@dataclass(frozen=True, kw_only=True)
class MergedSession:
    """A session that belongs to a user."""

    user_id: str
    session_id: str
