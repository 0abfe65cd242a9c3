"""Every failure as an RFC 9457 problem; the only place that knows status codes.

What came is never repeated: not in a reply, and not in a log line below ERROR.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal, TypeAlias

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api.access_errors import (
    AccessError,
    ForbiddenError,
    KeysUnavailableError,
    RateLimitedError,
    UnauthorizedError,
)
from api.security_headers import HEADERS
from recsys.errors import (
    EventStoreError,
    IncompleteAnswerError,
    InvalidRequestError,
    NoContentError,
    NoTextSearchError,
    NoUserVectorsError,
    PostedFullError,
    RecsysError,
    StoreFault,
    UnknownItemError,
    UnknownUserError,
)

MEDIA_TYPE = "application/problem+json"

Responses: TypeAlias = dict[int | str, dict[str, Any]]
"""OpenAPI's responses of an operation by status, as the framework takes them."""

Code: TypeAlias = Literal[
    "malformed_request",
    "unauthorized",
    "forbidden",
    "rate_limited",
    "keys_unavailable",
    "unknown_item",
    "unknown_user",
    "unknown_route",
    "unknown_store",
    "unknown_scenario",
    "method_not_allowed",
    "slow_body",
    "too_costly",
    "overloaded",
    "deadline_exceeded",
    "incomplete_answer",
    "no_content",
    "no_text_search",
    "no_user_vectors",
    "item_exists",
    "posted_items_full",
    "store_refused",
    "body_too_large",
    "invalid_request",
    "internal_error",
    "model_not_loaded",
    "posted_items_unavailable",
    "no_events",
    "session_taken",
    "events_unavailable",
    "events_full",
    "events_read_only",
    "events_busy",
]
"""What programs go by."""


class NoModelError(RecsysError):
    """No model is loaded yet; the message says why and goes to the client."""


class UnknownStoreError(RecsysError):
    """The service has no store of the name in the path."""


class UnknownScenarioError(RecsysError):
    """The store has no scenario of the name in the request."""


class BodyTooLargeError(RecsysError):
    """A body is longer than this service reads."""


class SlowBodyError(RecsysError):
    """A body did not arrive in time."""


class TooCostlyError(RecsysError):
    """A request asks for more than one may ask for; the message says how much, and how much is allowed."""


class OverloadedError(RecsysError):
    """The service has more to do than it can, and refuses a request before working on it."""


class DeadlineExceededError(RecsysError):
    """A request was not answered in the time that one may take."""


class ClientGoneError(RecsysError):
    """The client has closed the connection, so that nobody would read the reply."""


class StoreRefusedError(RecsysError):
    """The store has no version to go to, or cannot be written; the message goes to the client."""


class ItemExistsError(RecsysError):
    """An item that is to be posted or taken back is one of the version that serves."""


class PostedStoreError(RecsysError):
    """Changes of items cannot be read or written; the message names the database and is for the log."""


class NoEventsError(RecsysError):
    """This store keeps no events."""


class SessionTakenError(RecsysError):
    """A session that is to be merged belongs to another user."""


class Problem(BaseModel):
    """An error (RFC 9457). `code` is for programs, `detail` for people."""

    model_config = ConfigDict(frozen=True)

    type: str = Field(examples=["urn:recsys:problem:unknown_item"], description="`urn:recsys:problem:` and the code")
    title: str = Field(examples=["No such item"], description="what kind of problem this is")
    status: int = Field(examples=[404], description="the HTTP status")
    detail: str = Field(examples=["the model that serves has no item with this id"])
    code: Code = Field(examples=["unknown_item"], description="stable; does not change with the wording")
    request_id: str = Field(examples=["7f0c2d4e"], description="as in `X-Request-ID` and in the service's log")


@dataclass(frozen=True)
class Kind:
    """A kind of problem; `detail` replaces the error's own message, which may be about internals or name an id."""

    code: Code
    status: int
    title: str
    detail: str = ""


_INTERNAL = Kind(
    "internal_error", 500, "Internal error", "this is a fault of the service; its log has the cause under request_id"
)
_INVALID = Kind("invalid_request", 422, "Invalid request")
_KINDS: Mapping[type[Exception], Kind] = {
    InvalidRequestError: _INVALID,
    RequestValidationError: _INVALID,
    UnknownItemError: Kind("unknown_item", 404, "No such item", "the model that serves has no item with this id"),
    UnknownUserError: Kind("unknown_user", 404, "No such user", "the model that serves has no user with this id"),
    UnknownStoreError: Kind(
        "unknown_store",
        404,
        "No such store",
        "this service has no store of that name; its paths begin with /v1/{store}/",
    ),
    UnknownScenarioError: Kind(
        "unknown_scenario",
        404,
        "No such scenario",
        "the scenarios.toml of this store has no scenario of that name, or could not be read; the log says which",
    ),
    UnauthorizedError: Kind("unauthorized", 401, "Unauthorized"),
    ForbiddenError: Kind("forbidden", 403, "Forbidden"),
    RateLimitedError: Kind("rate_limited", 429, "Too many requests"),
    KeysUnavailableError: Kind("keys_unavailable", 503, "Keys are unavailable"),
    SlowBodyError: Kind("slow_body", 408, "Slow body", "the body did not arrive within 10 seconds"),
    IncompleteAnswerError: Kind("incomplete_answer", 409, "No whole answer"),
    NoContentError: Kind(
        "no_content",
        409,
        "No content",
        "the version that serves was made without [[content]], so items can be compared by behaviour only",
    ),
    NoUserVectorsError: Kind(
        "no_user_vectors",
        409,
        "No user vectors",
        "this service folds users in from their histories and has no vectors of users that could be compared",
    ),
    NoTextSearchError: Kind(
        "no_text_search",
        409,
        "No search by words",
        "no [[content]] of the version that serves has an encoder that reads texts and can run here",
    ),
    StoreRefusedError: Kind("store_refused", 409, "The store refused"),
    BodyTooLargeError: Kind("body_too_large", 413, "Body too large", "expected a body of at most 2 MiB"),
    TooCostlyError: Kind("too_costly", 422, "Too costly"),
    OverloadedError: Kind(
        "overloaded", 503, "Overloaded", "the service has more to do than it can; nothing was done: try again later"
    ),
    DeadlineExceededError: Kind(
        "deadline_exceeded", 503, "Not answered in time", "the request took too long, and was given up; ask for less"
    ),
    ItemExistsError: Kind(
        "item_exists",
        409,
        "The version has this item",
        "PATCH changes it until the next night; put the change into the catalogue too",
    ),
    PostedFullError: Kind(
        "posted_items_full",
        409,
        "Too many posted items",
        "there are 10000 of them; take some back, or let the next night take them over",
    ),
    PostedStoreError: Kind(
        "posted_items_unavailable",
        503,
        "Changes of items cannot be kept",
        "their database cannot be read or written; the service's log says why",
    ),
    NoEventsError: Kind(
        "no_events", 404, "No events are kept", "this service was started without RECSYS_EVENTS for this store"
    ),
    SessionTakenError: Kind(
        "session_taken",
        409,
        "The session is another user's",
        "a session belongs to the first user it was merged with; begin a new one after each log-out",
    ),
    NoModelError: Kind("model_not_loaded", 503, "No model is loaded"),
    EventStoreError: Kind(
        "events_unavailable",
        503,
        "The event store is unavailable",
        "it cannot be reached or used; nothing of this request is acknowledged: send it again with the same event_id",
    ),
}
_BY_STATUS = {
    400: Kind(
        "malformed_request",
        400,
        "Malformed request",
        "this is not HTTP/1.1: unescaped characters in the path, perhaps, or headers of more than 16 KiB",
    ),
    404: Kind("unknown_route", 404, "No such route", "nothing is served under this path; /docs lists what is"),
    405: Kind("method_not_allowed", 405, "Method not allowed", "this path is served for the methods in Allow only"),
}
_NOT_KEPT = "nothing of this request is acknowledged; send it again with the same event_id"
_BY_FAULT: Mapping[StoreFault, Kind] = {
    "full": Kind("events_full", 503, "The event store is full", f"it has no room left; {_NOT_KEPT}"),
    "read_only": Kind("events_read_only", 503, "The event store is read-only", f"it may only be read; {_NOT_KEPT}"),
    "busy": Kind("events_busy", 503, "The event store is busy", f"it did not answer in time; {_NOT_KEPT}"),
}
_RETRY_SECONDS: Mapping[StoreFault, int] = {"busy": 1, "unavailable": 5}
_RETRY_LATER = 30
RETRY_OVERLOADED_SECONDS = 1
"""Seconds after which a request that was refused by an overloaded service may be sent again."""

KINDS = tuple(dict.fromkeys((*_BY_STATUS.values(), *_KINDS.values(), *_BY_FAULT.values(), _INTERNAL)))
"""Every kind of problem."""

BODY_ERRORS = (InvalidRequestError, BodyTooLargeError, SlowBodyError, TooCostlyError)
"""What every route that takes a body may answer with."""


def problem_response(error: Exception, *, request_id: str) -> Response:
    """The reply to a request that ended in `error`."""
    kind = _kind_of(error)
    problem = Problem(
        type=f"urn:recsys:problem:{kind.code}",
        title=kind.title,
        status=kind.status,
        detail=kind.detail or _detail_of(error),
        code=kind.code,
        request_id=request_id,
    )
    headers = {**HEADERS, **(_headers_of(error) or {})}
    return Response(problem.model_dump_json(), kind.status, headers=headers, media_type=MEDIA_TYPE)


def _headers_of(error: Exception) -> Mapping[str, str] | None:
    if isinstance(error, EventStoreError):
        return {"Retry-After": str(_RETRY_SECONDS.get(error.reason, _RETRY_LATER))}
    if isinstance(error, OverloadedError):
        return {"Retry-After": str(RETRY_OVERLOADED_SECONDS)}
    return error.headers if isinstance(error, HTTPException | AccessError) else None


def is_fault(error: Exception) -> bool:
    """Whether `error` is the service's own fault, which someone should look into."""
    return _kind_of(error) is _INTERNAL and not isinstance(error, ClientGoneError)


def code_of(error: Exception) -> Code:
    """The code that `error` is answered with."""
    return _kind_of(error).code


def problem_responses(*errors: type[Exception]) -> Responses:
    """What OpenAPI says of the problems a route answers with, by status."""
    kinds = [_BY_FAULT.values() if error is EventStoreError else () for error in errors]
    return _described((*map(_kind_of_type, errors), *chain.from_iterable(kinds)))


def problem_responses_of_all() -> Responses:
    """What OpenAPI says of the problems that any route may answer with, by status."""
    may_be_any = (_BY_STATUS[400], _BY_STATUS[405], _INTERNAL)
    return _described((*may_be_any, _KINDS[DeadlineExceededError]))


def overloaded_responses() -> Responses:
    """What OpenAPI says of a request that an overloaded service refuses."""
    return _described((_KINDS[OverloadedError],))


def _described(kinds: Iterable[Kind]) -> Responses:
    described: dict[int | str, list[str]] = {}
    for kind in kinds:
        described.setdefault(kind.status, []).append(f"{kind.title} (`{kind.code}`)")
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": "; ".join(texts), "content": content} for status, texts in described.items()}


def _kind_of(error: Exception) -> Kind:
    if isinstance(error, HTTPException):
        return _BY_STATUS.get(error.status_code, _INTERNAL)
    if isinstance(error, EventStoreError):
        return _BY_FAULT.get(error.reason, _KINDS[EventStoreError])
    return _kind_of_type(type(error))


def _kind_of_type(error: type[Exception]) -> Kind:
    return next((_KINDS[ancestor] for ancestor in error.__mro__ if ancestor in _KINDS), _INTERNAL)


def _detail_of(error: Exception) -> str:
    if isinstance(error, RequestValidationError):
        return "; ".join(_explain(problem) for problem in error.errors())
    return str(error)


def _explain(problem: ErrorDetails) -> str:
    """One error of pydantic's, without the value that came."""
    where, *path = problem["loc"]
    expected = problem["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    name = f" parameter {'.'.join(map(str, path))}" if path else ""
    return f"{where}{name}: {expected}"
