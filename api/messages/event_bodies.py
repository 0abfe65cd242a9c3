"""What POST /v1/events takes, and which of it is kept."""

from collections.abc import Callable
from typing import Annotated

from pydantic import BeforeValidator, Field

from api.events.intake import Intake, RefusedEvent
from api.messages.body import Body, Id, Many, Time, seconds_of
from recsys.engine.event_rules import EventRules, Refusal, refusal_of_text
from recsys.engine.ids import MAX_ID_BYTES, id_text, whole_number
from recsys.event_store.events import NewEvent, is_void
from recsys.forgotten import NOBODY, Forgotten

MAX_POSTED_EVENTS = 1_000
"""The most events of one request."""

MAX_PLACE = 1_000_000
"""The last place of a list that an event may name."""

_BYTES = f"up to {MAX_ID_BYTES} bytes"


class PostedEvent(Body):
    """One thing that a user or a visitor did."""

    event_id: str | None = Field(
        None, description=f"name of this event among all, such as a UUID, {_BYTES}: sent again, it counts once"
    )
    user_id: str | None = Field(None, description="who did it; may be left out if there is a `session_id`")
    session_id: str | None = Field(None, description="session of a visitor, or of the user")
    item_id: str = Field(description="what it was done with; may be unknown as yet")
    event: str | None = Field(None, description="kind of event; default: the kind of the log with the least weight")
    value: float = Field(1.0, description="quantity, rating, play count ...")
    timestamp: float | Time | None = Field(
        None, description="seconds since 1970, or ISO 8601, UTC if it names no zone; default: now"
    )
    recommendation_id: str | None = Field(None, description="of the list that led to it")
    place: Annotated[int, Field(ge=1, le=MAX_PLACE), BeforeValidator(whole_number)] | None = Field(
        None, description="place of the item in that list, from 1"
    )


class EventsBody(Body):
    """What happened."""

    events: Many[PostedEvent] = Field(min_length=1, max_length=MAX_POSTED_EVENTS)


class MergeBody(Body):
    """A session whose visitor has logged in."""

    session_id: Id = Field(description="the session; a session is merged with one user only")


def take_in(
    body: EventsBody,
    rules: EventRules,
    has_item: Callable[[str], bool],
    *,
    now: float,
    forgotten: Forgotten = NOBODY,
) -> Intake:
    """Which of the events are kept. `has_item`: whether the version has an item. `now`: UTC seconds.

    `forgotten`: what these people did before they were forgotten is refused.
    """
    accepted: list[NewEvent] = []
    refused: list[RefusedEvent] = []
    for index, posted in enumerate(body.events):
        found = _taken(posted, rules, now)
        if isinstance(found, NewEvent) and forgotten and is_void(found, forgotten):
            found = "forgotten"
        if isinstance(found, NewEvent):
            accepted.append(found)
        else:
            refused.append(RefusedEvent(index=index, code=found))
    return Intake(accepted, refused, sum(not has_item(it.item_id) for it in accepted))


def _taken(posted: PostedEvent, rules: EventRules, now: float) -> NewEvent | Refusal:
    """The event as it is kept, or why it is not."""
    item_id, user_id = id_text(posted.item_id, "item_id"), posted.user_id
    if user_id is not None:
        user_id = id_text(user_id, "user_id")
    timestamp = now if posted.timestamp is None else seconds_of(posted.timestamp)
    refusal = (
        _refusal_of_person(user_id, posted.session_id, rules)
        or rules.refusal_of_id(item_id, "missing_item")
        or rules.refusal_of_facts(posted.event, posted.value, timestamp, now=now)
        or _refusal_of_texts(posted.event_id, posted.recommendation_id)
    )
    if refusal is not None:
        return refusal
    return NewEvent(
        posted.event_id,
        user_id,
        posted.session_id,
        item_id,
        posted.event,
        posted.value,
        timestamp,
        now,
        posted.recommendation_id,
        posted.place,
    )


def _refusal_of_person(user_id: str | None, session_id: str | None, rules: EventRules) -> Refusal | None:
    if user_id is None and not session_id:
        return "missing_user"
    if session_id is not None and (refusal := refusal_of_text(session_id)) is not None:
        return refusal
    return None if user_id is None else rules.refusal_of_id(user_id, "missing_user")


def _refusal_of_texts(*texts: str | None) -> Refusal | None:
    for text in texts:
        if text is not None and (refusal := refusal_of_text(text)) is not None:
            return refusal
    return None


EVENT_BODIES: tuple[type[Body], ...] = (EventsBody, MergeBody)
"""Every body that a route of events takes."""
