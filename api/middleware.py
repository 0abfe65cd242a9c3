"""What happens to every request around its route: id, path, headers, failures, metrics, a line in the log."""

import logging
import re
import uuid
from dataclasses import dataclass, field
from time import perf_counter
from urllib.parse import unquote_to_bytes

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import is_fault, problem_response
from api.logs import FIELDS
from api.metrics import Metrics
from api.model_watch import ModelWatch
from api.served_engine import ServedEngine
from recsys.errors import InvalidRequestError

REQUEST_ID_HEADER = "X-Request-ID"
VERSION_HEADER = "X-Model-Version"
ESCAPED_SLASH = "\udc2f"
"""Stands for %2F in a path on its way through the router. No UTF-8 decodes to it, so nothing else can be it."""

_CONTEXT = "recsys.context"
_SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_PROBES = {"/livez", "/readyz", "/metrics"}

logger = logging.getLogger("api.access")


@dataclass
class RequestContext:
    """One request: its id, and the engine that answers it from beginning to end, whatever is published meanwhile."""

    request_id: str
    engine: ServedEngine | None
    no_engine_reason: str
    started: float = field(default_factory=perf_counter)
    status: int = 0

    @property
    def model_version(self) -> str | None:
        """The version that answers, None if there is none yet."""
        return None if self.engine is None else self.engine.version


def context_of(scope: Scope) -> RequestContext:
    """The context that the middleware gave a request."""
    context: RequestContext = scope[_CONTEXT]
    return context


class RequestMiddleware:
    """Gives every request its context, and every reply its headers."""

    def __init__(self, app: ASGIApp, *, watch: ModelWatch, metrics: Metrics) -> None:
        self._app = app
        self._watch = watch
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, with a problem if its route failed."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        context = RequestContext(_request_id(scope), self._watch.engine, self._watch.reason)
        inner = {**scope, _CONTEXT: context}
        try:
            with self._metrics.in_flight.track_inprogress():
                await self._answer(inner, receive, _with_headers(send, context))
        finally:
            self._account(inner, scope["method"], context)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = context_of(scope)
        try:
            scope["path"] = _decoded_path(scope)
            if scope["method"] == "HEAD":  # as GET; the server leaves the body out
                scope["method"] = "GET"
            await self._app(scope, receive, send)
        except Exception as error:
            if is_fault(error):
                logger.exception("request_id=%s failed", context.request_id)
            if context.status:  # half a reply is out: only breaking the connection tells the client
                raise
            await problem_response(error, request_id=context.request_id)(scope, receive, send)

    def _account(self, scope: Scope, method: str, context: RequestContext) -> None:
        seconds = perf_counter() - context.started
        route = getattr(scope.get("route"), "path", "-")
        method = method if method in _METHODS else "other"
        self._metrics.count_request(method=method, route=route, status=context.status, seconds=seconds)
        _log(method, route, seconds, context)


def _request_id(scope: Scope) -> str:
    """The client's own id if it is harmless in a header and a log line, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SANE_REQUEST_ID.fullmatch(given := value.decode("latin-1")):
            return str(given)
    return uuid.uuid4().hex


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
            headers = MutableHeaders(scope=message)
            headers[REQUEST_ID_HEADER] = context.request_id
            if context.model_version is not None:
                headers[VERSION_HEADER] = context.model_version
            if "GET" in headers.get("Allow", ""):  # the router knows no HEAD: it becomes GET on its way there
                headers["Allow"] = "GET, HEAD"
        await send(message)

    return send_with_headers


def _log(method: str, route: str, seconds: float, context: RequestContext) -> None:
    """One line per request, with the route's template: the path would hold user ids."""
    fields = {
        "method": method,
        "route": route,
        "status": context.status,
        "ms": round(1000 * seconds, 2),
        "request_id": context.request_id,
        "model_version": context.model_version,
    }
    logger.log(
        logging.DEBUG if route in _PROBES else logging.INFO,
        "method=%s route=%s status=%d ms=%.2f request_id=%s model_version=%s",
        *(fields | {"model_version": context.model_version or "-"}).values(),
        extra={FIELDS: fields},
    )
