"""What happens to every request around its route: id, store, path, headers, failures, metrics, a line in the log."""

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from secrets import token_hex
from time import perf_counter
from urllib.parse import unquote_to_bytes

from opentelemetry.trace import Span, Status, StatusCode
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access.caller import NOBODY, Caller, put_caller
from api.access.guard import Guard
from api.access_log import log_request
from api.admission.admission import Admission, Ticket
from api.cost import DEFAULT_BUDGET
from api.deadline import Deadline
from api.direct import DirectRoutes
from api.engines.served_engine import ServedEngine
from api.errors import ClientGoneError, UnknownStoreError, code_of, is_fault, problem_response
from api.metrics import LIMITS_REACHED, Metrics
from api.ports import is_served
from api.security_headers import security_headers
from api.stores.served_store import ServedStore, ServedStores
from recsys.errors import InvalidRequestError
from recsys.tracing import request_span, trace_id

REQUEST_ID_HEADER = "X-Request-ID"
VERSION_HEADER = "X-Model-Version"
ESCAPED_SLASH = "\udc2f"
"""Stands for %2F in a path on its way through the router. No UTF-8 decodes to it, so nothing else can be it."""

CLIENT_GONE = 499
"""Status in logs and metrics of a request whose client has closed the connection: nothing is sent."""

BODY_SECONDS = 10.0
"""Time in which a body must have arrived."""

_REQUEST_ID, _VERSION = REQUEST_ID_HEADER.lower().encode(), VERSION_HEADER.lower().encode()
_CONTEXT = "recsys.context"
_SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_PROBES = {"/livez", "/readyz", "/metrics"}

logger = logging.getLogger("api.access")


@dataclass(frozen=True)
class RequestLimits:
    """What one request may take: points of its cost, and seconds to be answered once its body has come."""

    points: int = DEFAULT_BUDGET
    seconds: float = 10.0


@dataclass
class RequestContext:
    """One request: its id, its store, and the engine that answers it from beginning to end, whatever is published.

    `store` and `engine` are None if the request names no store. `is_shown`: whether somebody is shown the list.
    `budget`: the most points that the request may ask for. `deadline`: until when it is worked on.
    """

    request_id: str
    store: ServedStore | None = None
    engine: ServedEngine | None = None
    started: float = field(default_factory=perf_counter)
    status: int = 0
    is_shown: bool = True
    budget: int = DEFAULT_BUDGET
    deadline: Deadline | None = None
    trace_id: str | None = None
    caller: Caller | None = None
    ticket: Ticket | None = None

    @property
    def is_alone(self) -> bool:
        """Whether it need not wait, because there is no other request to be answered together with."""
        return self.ticket is not None and self.ticket.is_alone

    def use(self, store: ServedStore | None) -> None:
        """Answer from `store`, by the version that serves now."""
        self.store = store
        self.engine = None if store is None else store.watch.engine

    @property
    def model_version(self) -> str | None:
        """The version that answers, None if there is none yet."""
        return None if self.engine is None else self.engine.version


def context_of(scope: Scope) -> RequestContext:
    """The context that the middleware gave a request."""
    context: RequestContext = scope[_CONTEXT]
    return context


class RequestMiddleware:
    """Gives every request its store and its context, and every reply its headers."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        stores: ServedStores,
        metrics: Metrics,
        admission: Admission,
        guard: Guard,
        limits: RequestLimits,
        direct: DirectRoutes,
        operations_port: int | None = None,
    ) -> None:
        self._app, self._admission, self._guard, self._limits = app, admission, guard, limits
        self._direct, self._operations_port = direct, operations_port
        self._stores = stores
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, with a problem if its route failed."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        context = RequestContext(_request_id(scope), budget=self._limits.points)
        context.use(self._stores.only)
        inner = {**scope, _CONTEXT: context}
        self._metrics.in_flight.inc()
        try:
            with request_span(scope["method"], scope["headers"]) as span:
                context.trace_id = trace_id()
                await self._answer(inner, receive, _with_headers(send, context))
                if span is not None:
                    _describe(span, inner, scope["method"], context)
        finally:
            self._metrics.in_flight.dec()
            self._account(inner, scope["method"], context)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = context_of(scope)
        try:
            scope["path"] = _decoded_path(scope)
            self._identify(scope, context)
            if scope["method"] == "HEAD":  # as GET; the server leaves the body out
                scope["method"] = "GET"
                context.is_shown = False
            elif _is_preview(scope):
                context.is_shown = False
            context.deadline = self._deadline(scope, receive)
            async with context.deadline:
                await self._admit(scope, receive, send)
        except ClientGoneError:
            context.status = context.status or CLIENT_GONE
            self._count_given_up("client_gone", context)
        except Exception as error:
            if is_fault(error):
                logger.exception("request_id=%s failed", context.request_id)
            self._count_given_up(code_of(error), context)
            if context.status:  # half a reply is out: only breaking the connection tells the client
                raise
            await problem_response(error, request_id=context.request_id)(scope, receive, send)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not is_served(scope, self._operations_port):
            raise HTTPException(404)
        ticket, receive = self._admission.begin(scope, receive)
        context_of(scope).ticket = ticket
        try:
            if not await self._direct.answer(scope, receive, send):
                await self._app(scope, receive, send)
        finally:
            if ticket is not None:
                ticket.leave()

    def _identify(self, scope: Scope, context: RequestContext) -> None:
        """Find who asks, then what store is asked. Raises AccessError, and only then UnknownStoreError."""
        context.caller = caller = self._guard.admit(scope, scope["path"].removeprefix(scope.get("root_path", "")))
        put_caller(scope, caller)
        if self._stores.are_named:
            try:
                self._find_store(scope, context)
            except UnknownStoreError:
                caller.check_store(None)
                raise
        if context.store is not None and caller is not NOBODY:
            caller.check_store(context.store.name)
            caller.has_operator = self._guard.source.has_operator(context.store.name)

    def _deadline(self, scope: Scope, receive: Receive) -> Deadline:
        """What the operator asks for may take as long as loading a version does; metrics tell what was given up."""
        is_operators = scope["path"].removeprefix(scope.get("root_path", "")).startswith(("/admin/", "/metrics"))
        has_body = scope["method"] not in ("GET", "DELETE", "OPTIONS")
        seconds = None if is_operators else self._limits.seconds
        return Deadline(seconds, receive, body_seconds=BODY_SECONDS if has_body else 0.0)

    def _count_given_up(self, code: str, context: RequestContext) -> None:
        if code in LIMITS_REACHED:
            (self._metrics if context.store is None else context.store.metrics).count_limit(code)

    def _find_store(self, scope: Scope, context: RequestContext) -> None:
        """Give the request the store that its path names; routes see the path without the name."""
        root: str = scope.get("root_path", "")
        path: str = scope["path"]
        store, rest = self._stores.find(path.removeprefix(root))
        context.use(store)
        scope["path"] = f"{root}{rest}" if path.startswith(root) else rest

    def _account(self, scope: Scope, method: str, context: RequestContext) -> None:
        seconds = perf_counter() - context.started
        route = getattr(scope.get("route"), "path", "-")
        method = method if method in _METHODS else "other"
        metrics = self._metrics if context.store is None else context.store.metrics
        metrics.count_request(method=method, route=route, status=context.status, seconds=seconds)
        log_request(_line_of(method, route, seconds, context), is_probe=route in _PROBES)


def _describe(span: Span, scope: Scope, method: str, context: RequestContext) -> None:
    """Name a request's span by its route's template; a path would hold ids."""
    route = getattr(scope.get("route"), "path", None)
    span.update_name(f"{method} {route}" if route else method)
    span.set_attribute("http.request.method", method if method in _METHODS else "_OTHER")
    span.set_attribute("http.response.status_code", context.status)
    span.set_attribute("recsys.request_id", context.request_id)
    if route:
        span.set_attribute("http.route", route)
    if context.model_version is not None:
        span.set_attribute("recsys.model_version", context.model_version)
    if context.status >= 500:
        span.set_status(Status(StatusCode.ERROR))


def _is_preview(scope: Scope) -> bool:
    """Whether the request says `X-Preview: true`: its list is for somebody who looks at the model, no impression."""
    return (b"x-preview", b"true") in scope["headers"]


def _request_id(scope: Scope) -> str:
    """The client's own id if it is harmless in a header and a log line, and no key, else a new one."""
    for name, value in scope["headers"]:
        if (
            name == b"x-request-id"
            and b"recsys_" not in value
            and _SANE_REQUEST_ID.fullmatch(given := value.decode("latin-1"))
        ):
            return str(given)
    return token_hex(16)


def _decoded_path(scope: Scope) -> str:
    """The path with its escapes resolved, except escaped slashes, which belong to an id and separate no segments."""
    raw: bytes = scope.get("raw_path") or b""
    if b"%" not in raw:
        path: str = scope["path"]
        return path
    if _BROKEN_ESCAPE.search(raw):
        raise InvalidRequestError("path: % is not followed by two hexadecimal digits; a percent sign itself is %25")
    try:
        segments = [unquote_to_bytes(segment).decode("utf-8") for segment in raw.split(b"/")]
    except UnicodeDecodeError as error:
        raise InvalidRequestError("path: expected percent-encoded UTF-8") from error
    return "/".join(segment.replace("/", ESCAPED_SLASH) for segment in segments)


def _with_headers(send: Send, context: RequestContext) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            context.status = message["status"]
            message["headers"] = _with_ours(message["headers"], context)
        await send(message)

    return send_with_headers


def _with_ours(headers: Iterable[tuple[bytes, bytes]], context: RequestContext) -> list[tuple[bytes, bytes]]:
    """The headers of a reply, and those of every reply; ours count if both name one."""
    present = dict(headers)
    ours = {_REQUEST_ID: context.request_id.encode("latin-1")}
    if context.model_version is not None:
        ours[_VERSION] = context.model_version.encode("latin-1")
    if context.caller is not None:
        for name, value in context.caller.rate_headers.items():
            ours[name.lower().encode("latin-1")] = value.encode("latin-1")
    if b"GET" in present.get(b"allow", b""):  # the router knows no HEAD: it becomes GET on its way there
        ours[b"allow"] = b"GET, HEAD"
    kept = [header for header in headers if header[0] not in ours]
    return [*kept, *ours.items(), *security_headers(present)]


def _line_of(method: str, route: str, seconds: float, context: RequestContext) -> dict[str, str | int | float | None]:
    """What the log says of a request, with the route's template: the path would hold user ids."""
    line: dict[str, str | int | float | None] = {
        "method": method,
        "route": route,
        "status": context.status,
        "ms": round(1000 * seconds, 2),
        "request_id": context.request_id,
        "model_version": context.model_version,
    }
    if context.store is not None and context.store.name:
        line["store"] = context.store.name
    if context.trace_id is not None:
        line["trace_id"] = context.trace_id
    if context.caller is not None and context.caller.record is not None:
        line["key"] = context.caller.record.name
    return line
