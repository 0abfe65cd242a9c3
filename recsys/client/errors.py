"""What a call can raise.

ClientError
├── NoReplyError             nothing answered, or not in time
├── InvalidReplyError        what came is no reply of this service
└── ProblemError             the service refused; it has `code`, `status`, `title` and `detail`
    ├── InvalidRequestError    400, 405, 408, 413, 422: the request has to be changed
    ├── UnauthorizedError      401: the API key is missing or wrong
    ├── ForbiddenError         403: the API key is good, but not for this
    ├── NotFoundError          404
    │   ├── UnknownItemError     code `unknown_item`
    │   └── UnknownUserError     code `unknown_user`
    ├── ConflictError          409: the service cannot do this now; `code` says why
    ├── UnavailableError       429, 502, 503, 504: later, perhaps
    └── FaultError             500: a fault of the service; its log has the cause under `request_id`

Every error has `request_id`, which the service's log has too.
"""

from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError


class ClientError(Exception):
    """A call that has no reply to give. `request_id`: sent as X-Request-ID, and in the service's log."""

    def __init__(self, message: str, *, request_id: str) -> None:
        super().__init__(message)
        self.request_id = request_id


class NoReplyError(ClientError):
    """Nothing answered, or not in time; `__cause__` is what httpx says.

    A request that changes something may have been done all the same.
    """


class InvalidReplyError(ClientError):
    """What came is no reply of this service, or of a release that this client does not know. `status`: of HTTP."""

    def __init__(self, message: str, *, request_id: str, status: int) -> None:
        super().__init__(message, request_id=request_id)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Problem:
    """An error as the service writes it (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str


class ProblemError(ClientError):
    """The service refused. `code`: what programs go by, as listed in docs/api.md; `status`: of HTTP.

    `code` is empty if something between has answered, such as a proxy.
    """

    def __init__(self, problem: Problem) -> None:
        code = f" ({problem.code})" if problem.code else ""
        super().__init__(f"{problem.status} {problem.title}{code}: {problem.detail}", request_id=problem.request_id)
        self.status, self.code = problem.status, problem.code
        self.title, self.detail = problem.title, problem.detail
        self.problem = problem


class InvalidRequestError(ProblemError):
    """The request has to be changed."""


class UnauthorizedError(ProblemError):
    """The API key is missing or wrong."""


class ForbiddenError(ProblemError):
    """The API key lacks a scope, or is for other stores; `detail` names the scope."""


class NotFoundError(ProblemError):
    """There is no such thing."""


class UnknownItemError(NotFoundError):
    """The version that serves has no such item."""


class UnknownUserError(NotFoundError):
    """The version that serves has no such user."""


class ConflictError(ProblemError):
    """The service cannot do this now, or with the version that serves; `code` says why."""


class UnavailableError(ProblemError):
    """The service is overloaded, without a version, or away; the same request may be answered later."""


class FaultError(ProblemError):
    """A fault of the service; its log has the cause under `request_id`."""


_BY_CODE: dict[str, type[ProblemError]] = {"unknown_item": UnknownItemError, "unknown_user": UnknownUserError}
_BY_STATUS: dict[int, type[ProblemError]] = {
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    429: UnavailableError,
    502: UnavailableError,
    503: UnavailableError,
    504: UnavailableError,
}
_PROBLEM = TypeAdapter(Problem)


def problem_error(status: int, content: bytes, *, reason: str, request_id: str) -> ProblemError:
    """The error of a reply with a `status` of 400 or more; `reason`: its phrase, for replies that are no problem."""
    try:
        problem = _PROBLEM.validate_json(content)
    except ValidationError:
        problem = Problem(
            type="about:blank",
            title=reason or "Error",
            status=status,
            detail="the reply is no problem document, so it is not the service's own",
            code="",
            request_id=request_id,
        )
    return error_class(status, problem.code)(problem)


def error_class(status: int, code: str) -> type[ProblemError]:
    """What a problem with this status and code is raised as."""
    by_status = _BY_STATUS.get(status, InvalidRequestError if status < _FAULT else FaultError)
    return _BY_CODE.get(code, by_status)


_FAULT = 500
