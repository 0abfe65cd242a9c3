"""Events: what users and visitors do, and whose sessions are."""

import time
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from api.access.caller import count_as
from api.access.requires import requires
from api.errors import (
    BODY_ERRORS,
    NoEventsError,
    SessionTakenError,
    problem_responses,
)
from api.events.intake import Intake
from api.events.store_events import StoreEvents
from api.messages.event_bodies import EventsBody, MergeBody, take_in
from api.messages.event_replies import EventPage, EventsTaken, MergedSession
from api.messages.openapi import operation_with_body, operation_with_body_and_id, operation_with_query
from api.messages.queries import EventsQuery, NoQuery, path_id, query_of, store_of
from api.messages.reading import body_of
from api.messages.reply import json_response
from api.middleware import context_of
from recsys.api_keys.records import Scope
from recsys.engine.event_rules import EventRules
from recsys.engine.ids import check_kept_id, id_text
from recsys.errors import EventStoreError, InvalidRequestError

_MANY = 200
"""More events than this are sorted out in a thread."""

_EXAMPLE = {
    "events": [
        {"event_id": "5f0c6e6e-6b0e-4f6e-9f5c-0d8f7e0a4a11", "user_id": "ada", "item_id": "dune", "event": "view"},
        {"event_id": "0b8b9f9e-4c55-4b0a-8a53-1d0f2f6a7b22", "session_id": "s-81", "item_id": "solaris"},
    ]
}

router = APIRouter(tags=["events"])


def _events_of(request: Request) -> StoreEvents:
    """The events of the request's store. Raises NoEventsError if it keeps none."""
    if (events := store_of(request).events) is None:
        raise NoEventsError
    return events


def _kept_id(external_id: object, name: str) -> str:
    """The id as a text, if the store can hold it. Raises InvalidRequestError."""
    text = id_text(external_id, name)
    check_kept_id(text, name)
    return text


@router.post(
    "/v1/events",
    response_model=EventsTaken,
    dependencies=[requires(Scope.EVENTS)],
    responses=problem_responses(*BODY_ERRORS, NoEventsError, EventStoreError),
    openapi_extra=operation_with_body(EventsBody, _EXAMPLE),
)
async def post_events(
    request: Request,
    body: Annotated[EventsBody, Depends(body_of(EventsBody))],
    query: Annotated[NoQuery, Query()],
) -> Response:
    """Keep what happened. The reply comes when the accepted events are durable; sent again, they count once.

    An event that no night could use is refused by its index; the others are kept.
    """
    events, engine = _events_of(request), context_of(request.scope).engine
    count_as(request.scope, len(body.events))
    rules = EventRules() if engine is None else engine.event_rules
    has_item = (lambda item_id: True) if engine is None else engine.has_item

    def sorted_out() -> Intake:
        return take_in(body, rules, has_item, now=time.time(), forgotten=store_of(request).forgotten.now)

    intake = await run_in_threadpool(sorted_out) if len(body.events) > _MANY else sorted_out()
    added = await events.add(intake)
    return json_response(
        EventsTaken(
            accepted=added,
            duplicates=len(intake.accepted) - added,
            refused=tuple(intake.refused) or None,
            unknown_items=intake.n_unknown_items or None,
        )
    )


@router.get(
    "/v1/events",
    response_model=EventPage,
    dependencies=[requires(Scope.ADMIN)],
    responses=problem_responses(InvalidRequestError, NoEventsError, EventStoreError),
    openapi_extra=operation_with_query(EventsQuery),
)
async def get_events(request: Request) -> Response:
    """The kept events of a user, those of merged sessions among them, or of a session; the latest kept first."""
    events, query = _events_of(request), query_of(request, EventsQuery)
    read, who = (
        (events.of_user, query.user_id) if query.user_id is not None else (events.of_session, query.session_id)
    )
    found = await read(_kept_id(who, "user_id"), limit=query.limit, before=query.before)
    return json_response(EventPage.of(found, limit=query.limit))


@router.post(
    "/v1/users/{user_id}:merge",
    response_model=MergedSession,
    dependencies=[requires(Scope.EVENTS)],
    responses=problem_responses(*BODY_ERRORS, NoEventsError, SessionTakenError, EventStoreError),
    openapi_extra=operation_with_body_and_id("user_id", MergeBody, {"session_id": "s-81"}),
)
async def merge_session(
    request: Request,
    body: Annotated[MergeBody, Depends(body_of(MergeBody))],
    query: Annotated[NoQuery, Query()],
) -> Response:
    """A visitor has logged in: all events of the session, past and future, are this user's from now on."""
    events = _events_of(request)
    user_id, session_id = (
        _kept_id(path_id(request, "user_id"), "user_id"),
        _kept_id(body.session_id, "session_id"),
    )
    if await events.merge(session_id, user_id) != user_id:
        raise SessionTakenError
    return json_response(MergedSession(user_id=user_id, session_id=session_id))
