"""What `obstore` raises, as errors that name the object, say why and what to do, and show no secret."""

import re

from recsys.errors import ObjectFault, ObjectStoreError
from recsys.remote.failures import reason
from recsys.remote.remote_path import RemotePath

_STATUS = re.compile(r"status code: (\d{3})|status: (\d{3})")
_CODE, _MESSAGE = re.compile(r"<Code>(\w{1,60})</Code>"), re.compile(r"<Message>([^<\n]{1,160})")
_SILENT = (
    (r"dns error|resolve|Name or service", "getaddrinfo: the host is not found"),
    (r"onnection ?[Rr]efused", "connection refused"),
    (r"[Tt]imed ?[Oo]ut|deadline", "timed out"),
    (r"reset|IncompleteMessage|UnexpectedEof|end of file|closed|decoding response body", "connection reset by peer"),
    (r"error sending request|ConnectError", "cannot connect"),
)
_TOKEN = re.compile(r"token request|latest/api/token|security-credentials|federated token")
"""In what is said when the machine, or who gives tokens, was asked for one, and the store not yet."""

_NO_BUCKET = re.compile("NoSuchBucket|ContainerNotFound|ContainerBeingDeleted")
_TRANSIENT_STATUS = frozenset({408, 409, 425, 429, 500, 502, 503, 504})


class TransientFault(Exception):  # noqa: N818  (never leaves this package)
    """A request failed in a way that may pass; what a write did is not known. `error`: to raise at the end."""

    def __init__(self, error: ObjectStoreError) -> None:
        super().__init__(str(error))
        self.error = error


class RefusedFault(Exception):  # noqa: N818  (never leaves this package)
    """The condition of a write did not hold when it was looked at."""


def is_missing_object(error: BaseException) -> bool:
    """Whether the object is not there, though its bucket is."""
    return isinstance(error, FileNotFoundError) and not _NO_BUCKET.search(str(error))


def fault_of(path: RemotePath, error: BaseException) -> Exception:
    """What to raise for what a request raised: a `TransientFault`, a `RefusedFault` or an ObjectStoreError."""
    kind = type(error).__name__
    if kind in ("AlreadyExistsError", "PreconditionError"):
        return RefusedFault()
    status, said = _status(error), _said(error)
    if _TOKEN.search(str(error)):
        said = f"no credentials came: {said}"
        return TransientFault(ObjectStoreError(f"{path}: {reason(path, OSError(said))}", "denied"))
    failed = ObjectStoreError(f"{path}: {reason(path, OSError(said))}", _reason(kind, status, said))
    return TransientFault(failed) if failed.reason == "unavailable" else failed


def _reason(kind: str, status: int | None, said: str) -> ObjectFault:
    if status in _TRANSIENT_STATUS:
        return "unavailable"
    if status in (401, 403) or kind in ("PermissionDeniedError", "UnauthenticatedError") or "redential" in said:
        return "denied"
    if _NO_BUCKET.search(said) or status == 404 or kind in ("FileNotFoundError", "NotFoundError"):
        return "missing"
    return "failed" if status is not None or not any(text == said for _, text in _SILENT) else "unavailable"


def _status(error: BaseException) -> int | None:
    found = _STATUS.search(str(error))
    return int(found[1] or found[2]) if found else None


def _said(error: BaseException) -> str:
    """What the store said: status, code and message; no URL and no header, which may hold a secret."""
    text, status = str(error), _status(error)
    if status is None:
        for pattern, told in _SILENT:
            if re.search(pattern, text):
                return told
        first = re.sub(r"https?://\S+|in [\d.]+\s?[mµn]?s", "", text.partition("\n")[0])
        return f"{type(error).__name__}: {' '.join(first.split())[:200]}"
    code, message = _CODE.search(text), _MESSAGE.search(text)
    return " ".join(part for part in (f"HTTP status {status}", code and code[1], message and message[1]) if part)
