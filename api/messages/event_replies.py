"""What became of events, and those that are kept."""

from collections.abc import Sequence
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from api.events.intake import RefusedEvent
from recsys.event_store.events import KeptEvent


class EventsTaken(BaseModel):
    """What became of posted events: accepted + duplicates + refused are all of them."""

    model_config = ConfigDict(frozen=True)

    accepted: int = Field(description="events that are kept now and were not before")
    duplicates: int = Field(description="events that had been kept already, by their `event_id`")
    refused: tuple[RefusedEvent, ...] | None = Field(None, description="events not kept, and why; left out if none")
    unknown_items: int | None = Field(
        None, description="kept events of items that this version does not have as yet; left out if none"
    )


class KeptEventReply(BaseModel):
    """One event as it is kept."""

    model_config = ConfigDict(frozen=True)

    event_id: str | None = Field(None, description="left out if it has none")
    user_id: str | None = Field(None, description="left out if it came without one")
    session_id: str | None = Field(None, description="left out if it came without one")
    item_id: str
    event: str | None = Field(None, description="left out if its kind is unknown")
    value: float
    timestamp: float = Field(description="seconds since 1970")
    received_at: float = Field(description="when it came, seconds since 1970")
    recommendation_id: str | None = Field(None, description="left out if unknown")
    place: int | None = Field(None, description="left out if unknown")


class EventPage(BaseModel):
    """Kept events, the latest kept first."""

    model_config = ConfigDict(frozen=True)

    events: tuple[KeptEventReply, ...]
    next: int | None = Field(None, description="`before` of the next page; left out on the last one")

    @classmethod
    def of(cls, events: Sequence[KeptEvent], *, limit: int) -> Self:
        """The page that carries `events`, up to `limit` of which were asked for."""
        shown = tuple(KeptEventReply.model_validate(each._asdict()) for each in events)
        return cls(events=shown, next=events[-1].seq if len(events) == limit else None)


class MergedSession(BaseModel):
    """A session that belongs to a user."""

    model_config = ConfigDict(frozen=True)

    user_id: str
    session_id: str
