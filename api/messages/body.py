"""What bodies of requests are made of: strict fields, ids, events, and the user of a request."""

from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, FailFast, Field, StringConstraints, TypeAdapter

from api.messages.formats import ID_FORMAT, NAME_FORMAT, of_format
from recsys.engine import Event
from recsys.engine.ids import MAX_ID_BYTES, whole_number
from recsys.engine.question import MAX_EVENTS, MAX_K, MAX_TIMESTAMP, MAX_VALUE

MAX_FIELDS = 100
"""The most attributes that are listed with each item."""


_Member = TypeVar("_Member")


class _StopsAtFirst(FailFast):
    """pydantic's own cannot be a part of a union, which wants it hashed."""

    __hash__ = object.__hash__


Many = Annotated[list[_Member], _StopsAtFirst()]
"""A list; the first member that is wrong ends its validation."""

Id = Annotated[str, StringConstraints(min_length=1, max_length=MAX_ID_BYTES), of_format(ID_FORMAT)]


K = Annotated[int, Field(ge=1, le=MAX_K, description="number of items wanted"), BeforeValidator(whole_number)]

_DATETIME = TypeAdapter(datetime)


def _time(value: object) -> object:
    """A text as the time that it says, because a strict model takes no text for a time."""
    return _DATETIME.validate_strings(value) if isinstance(value, str) else value


Time = Annotated[datetime, BeforeValidator(_time)]

FieldNames = Annotated[
    Many[Annotated[str, StringConstraints(min_length=1, max_length=MAX_ID_BYTES), of_format(NAME_FORMAT)]],
    Field(max_length=MAX_FIELDS, description="attributes to list with each item"),
]


class Body(BaseModel):
    """What all bodies have in common: no unknown field, no conversion, no NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    def prepare(self) -> None:
        """Do what need not be done on the event loop; of large bodies it is called in the thread that parses."""


class EventBody(Body):
    """One event of a user, as the log would hold it."""

    item_id: Id
    event: Annotated[str, StringConstraints(max_length=MAX_ID_BYTES)] | None = Field(
        None, description="kind of event; default: the kind of the log with the least weight"
    )
    value: float = Field(1.0, ge=-MAX_VALUE, le=MAX_VALUE, description="quantity, rating, play count ...")
    timestamp: Annotated[float, Field(ge=0, le=MAX_TIMESTAMP)] | Time | None = Field(
        None, description="seconds since 1970, or ISO 8601, UTC if it names no zone; default: now"
    )

    def event_of_log(self) -> Event:
        """The event as the engine takes it."""
        return Event(
            self.item_id, self.event, self.value, None if self.timestamp is None else seconds_of(self.timestamp)
        )


class ProfileBody(Body):
    """The user of a request: a known one, a visitor described by events, or a known one with new events."""

    user_id: Id | None = Field(None, description="user whose stored history counts; left out for a visitor")
    events: Many[EventBody] = Field(
        [], max_length=MAX_EVENTS, description="what the user did beside the stored history"
    )

    @cached_property
    def events_of_log(self) -> tuple[Event, ...]:
        """The events as the engine takes them."""
        return tuple(event.event_of_log() for event in self.events)

    def prepare(self) -> None:
        """Make the events."""
        _ = self.events_of_log


def seconds_of(timestamp: float | datetime) -> float:
    """A time of a body as UTC seconds; one that names no zone is UTC."""
    if not isinstance(timestamp, datetime):
        return timestamp
    return (timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)).timestamp()
