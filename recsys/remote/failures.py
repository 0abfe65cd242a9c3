"""What libraries say when a file elsewhere cannot be read, as errors that name it, say why, and show no secret."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import pyarrow as pa

from recsys.errors import DataError, RecsysError
from recsys.remote.remote_path import AZURE, GCS, S3, WEB, RemotePath

_CREDENTIALS = {
    S3: "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, ~/.aws, or the role of the machine",
    GCS: "GOOGLE_APPLICATION_CREDENTIALS, or the service account of the machine",
    AZURE: "AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN, or Azure's default credential",
    WEB: "a signed address in a variable: ${SIGNED_URL}",
}
_BROKEN, _SILENT = "the transfer broke off", "the server does not answer"
_AT_FAULT = "the server answered with an error, also when asked again"
_REASONS = (
    (r"NO_SUCH_BUCKET|NoSuchBucket|ContainerNotFound|bucket does not exist|Bucket '.*' not found", "no such bucket"),
    (
        r"ACCESS_DENIED|HTTP status 403|\b401\b|\b403\b|INVALID_ACCESS_KEY|SIGNATURE_DOES_NOT_MATCH|PERMISSION_DENIED"
        r"|UNAUTHENTICATED|NO CREDENTIALS|MISSING_AUTH|InvalidAccessKeyId|AuthenticationFailed|EXPIRED_?TOKEN"
        r"|[Cc]redential",
        "access is denied; credentials are read from {credentials}",
    ),
    (
        r"resolve host|Name or service|nodename|getaddrinfo|curlCode: 6\b|DNSError|ClientConnectorDNS",
        "the host is not found",
    ),
    (r"PERMANENT_REDIRECT|HTTP status 301", "the bucket is in another region; add ?region=NAME to the address"),
    (
        r"curlCode: (7|28)\b|onnection refused|annot connect|not connect|imed? ?out|Timeout|UNAVAILABLE",
        _SILENT,
    ),
    (
        r"curlCode: (18|56)\b|not enough data|payload is not completed|ContentLengthError|reset by peer|disconnected",
        _BROKEN,
    ),
    (r"\b404\b|RESOURCE_NOT_FOUND|No such file|does not exist|Path not found", "no such file"),
    (
        r"SLOW_DOWN|SERVICE_UNAVAILABLE|INTERNAL_FAILURE|HTTP status 5|\b50[0-9]\b",
        _AT_FAULT,
    ),
)
_LONGEST = 300
_PAUSE_SECONDS = 0.25

Result = TypeVar("Result")


class TransientError(DataError):
    """A file could not be read this time; asked again, it may be."""


def attempted(call: Callable[[], Result], *, attempts: int) -> Result:
    """What `call` returns; after a `TransientError` it is called again, `attempts` times in all."""
    for attempt in range(attempts - 1):
        try:
            return call()
        except TransientError:
            time.sleep(_PAUSE_SECONDS * 2**attempt)
    return call()


@contextmanager
def remote_errors(path: RemotePath) -> Iterator[None]:
    """Turn what a file system's library raises into a DataError that names `path`, says why, and hides secrets."""
    try:
        yield
    except RecsysError:
        raise
    except (OSError, ValueError, EOFError, pa.ArrowException, *_web_errors()) as error:
        raise failure(path, error) from None


def failure(path: RemotePath, error: BaseException) -> DataError:
    """The error to raise for what a library raised: a TransientError if it may not happen again."""
    why = reason(path, error)
    kind = TransientError if why.startswith((_BROKEN, _SILENT, _AT_FAULT)) else DataError
    return kind(f"{path}: {why}")


def reason(path: RemotePath, error: BaseException) -> str:
    """Why a file cannot be read, and in brackets what the library says; it holds no secret."""
    said = " ".join(f"{type(each).__name__}: {each}" for each in _chain(error))
    why = next((sentence for pattern, sentence in _REASONS if re.search(pattern, said)), "cannot be read")
    why = why.format(credentials=_CREDENTIALS[path.target.kind])
    last = path.hide(str(_chain(error)[-1])).replace(path.target.url, str(path))
    last = re.sub(r" ?\(Request ID: [^)]*\)", "", " ".join(last.split()))[:_LONGEST]
    return f"{why} ({last})" if last else why


def _chain(error: BaseException) -> list[BaseException]:
    """The error and what caused it."""
    chain = [error]
    while (cause := chain[-1].__cause__) is not None:
        chain.append(cause)
    return chain


def _web_errors() -> tuple[type[Exception], ...]:
    """What aiohttp raises, if it is installed and in use."""
    try:
        from aiohttp import ClientError  # noqa: PLC0415  (of the extra `remote`)
    except ImportError:
        return ()
    return (ClientError,)
