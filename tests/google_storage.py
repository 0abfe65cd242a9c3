"""Google Cloud Storage on loopback: its XML API as Google's reference documents it, as far as a store needs it.

No server of Google's can be had, and the emulators that there are speak the JSON API, which `obstore` does not. So
this one is written from the reference: conditions by generation, reads that name an ETag, listings in pages, uploads
in parts, at most so many writes of one object in a second. What it holds is in memory, or where `Held` comes from.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import cached_property
from http.server import BaseHTTPRequestHandler
from threading import RLock
from typing import Protocol
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape
from zlib import crc32

from tests.object_stores import BUCKET, serving

LEAST_PART_BYTES = 5 << 20
PAGE = 1000


@dataclass(frozen=True)
class Held:
    """An object. `modified`: UTC seconds."""

    name: str
    content: bytes
    generation: int
    modified: float

    @cached_property
    def etag(self) -> str:
        """The same for the same content, whatever its generation."""
        return f'"{crc32(self.content):08x}"'


class Objects(Protocol):
    """Where objects are."""

    def insert(self, name: str, content: bytes, expected: int | None) -> Held | None:
        """Write one if its generation is `expected`, 0 if there is none, None whatever there is; None: refused."""

    def get(self, name: str) -> Held | None:
        """One of them."""

    def delete(self, name: str) -> bool:
        """Whether it was there."""

    def names(self, prefix: str) -> list[Held]:
        """Those whose names begin so, sorted."""


@dataclass
class Memory:
    """Objects of this process."""

    held: dict[str, Held] = field(default_factory=dict)
    lock: RLock = field(default_factory=RLock)
    generation: int = 1_700_000_000_000_000

    def insert(self, name: str, content: bytes, expected: int | None) -> Held | None:
        """As `Objects` says."""
        with self.lock:
            found = self.held.get(name)
            if expected is not None and expected != (found.generation if found else 0):
                return None
            self.generation += 1
            self.held[name] = Held(name, content, self.generation, time.time())
            return self.held[name]

    def get(self, name: str) -> Held | None:
        """As `Objects` says."""
        return self.held.get(name)

    def delete(self, name: str) -> bool:
        """As `Objects` says."""
        with self.lock:
            return self.held.pop(name, None) is not None

    def names(self, prefix: str) -> list[Held]:
        """As `Objects` says."""
        with self.lock:
            return sorted((held for name, held in self.held.items() if name.startswith(prefix)), key=lambda h: h.name)


@dataclass
class GoogleBucket:
    """The bucket `shop-data` of a server at `endpoint`.

    `tokens`: the bearer tokens that were shown. `accepted`: the only one that may write, None for all.
    `least_seconds`: between two writes of one object; one that comes earlier is answered with 429.
    """

    endpoint: str = ""
    objects: Objects = field(default_factory=Memory)
    tokens: set[str] = field(default_factory=set)
    accepted: str | None = None
    least_seconds: float = 0.0
    parts: dict[str, dict[int, bytes]] = field(default_factory=dict)
    written: dict[str, float] = field(default_factory=dict)
    n_refused: int = 0

    def address(self, folder: str = "store", **options: str) -> str:
        """The address of a store in it."""
        told = "".join(f"&{name}={value}" for name, value in options.items())
        return f"gs://{BUCKET}/{folder}?endpoint_override={self.endpoint}{told}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # header and body leave together
    bucket: GoogleBucket

    def _begin(self) -> tuple[str, dict[str, list[str]], bytes]:
        split = urlsplit(self.path)
        bucket, _, name = unquote(split.path).lstrip("/").partition("/")
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token:
            self.bucket.tokens.add(token)
        self._refusal = ""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if bucket != BUCKET:
            self._refusal = "NoSuchBucket"
        elif self.command not in ("GET", "HEAD") and self.bucket.accepted not in (None, token):
            self._refusal = "AccessDenied"
        return name, parse_qs(split.query, keep_blank_values=True), body

    def _answer(self, status: int, content: bytes = b"", **headers: str) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _fail(self, status: int, code: str) -> None:
        self._answer(status, f"<Error><Code>{code}</Code><Message>told {code}</Message></Error>".encode())

    def _is_refused(self) -> bool:
        if self._refusal:
            self._fail(404 if self._refusal == "NoSuchBucket" else 403, self._refusal)
        return bool(self._refusal)

    def do_GET(self) -> None:
        """Read one, or a page of a listing."""
        name, query, _ = self._begin()
        if self._is_refused():
            return
        if not name:
            self._list(query)
            return
        found = self.bucket.objects.get(name)
        if found is None:
            self._fail(404, "NoSuchKey")
            return
        said = {"ETag": found.etag, "x_goog_generation": str(found.generation)}
        said["Last_Modified"] = formatdate(found.modified, usegmt=True)
        if self.headers.get("If-None-Match") == found.etag:
            self._answer(304, **said)
        elif part := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")):
            content = found.content[int(part[1]) : int(part[2]) + 1]
            at = f"bytes {part[1]}-{int(part[1]) + len(content) - 1}/{len(found.content)}"
            self._answer(206, content, Content_Range=at, **said)
        else:
            self._answer(200, found.content, **said)

    do_HEAD = do_GET  # noqa: N815

    def _list(self, query: dict[str, list[str]]) -> None:
        after = query.get("continuation-token", [""])[0]
        found = [held for held in self.bucket.objects.names(query.get("prefix", [""])[0]) if held.name > after]
        page = found[:PAGE]
        more = f"<NextContinuationToken>{escape(page[-1].name)}</NextContinuationToken>" if found[PAGE:] else ""
        listed = "".join(
            f"<Contents><Key>{escape(held.name)}</Key><Size>{len(held.content)}</Size><ETag>{held.etag}</ETag>"
            f"<LastModified>{_iso(held.modified)}</LastModified></Contents>"
            for held in page
        )
        self._answer(200, f"<ListBucketResult>{listed}{more}</ListBucketResult>".encode())

    def do_PUT(self) -> None:
        """Write one, or a part of one."""
        name, query, body = self._begin()
        if self._is_refused():
            return
        if upload := query.get("uploadId"):
            self.bucket.parts[upload[0]][int(query["partNumber"][0])] = body
            self._answer(200, ETag=Held(name, body, 0, 0).etag)
            return
        self._write(name, body)

    def _write(self, name: str, content: bytes, answer: bytes = b"") -> None:
        now = time.monotonic()
        if now - self.bucket.written.get(name, -1e9) < self.bucket.least_seconds:
            self.bucket.n_refused += 1
            self._fail(429, "SlowDown")
            return
        condition = self.headers.get("x-goog-if-generation-match")
        held = self.bucket.objects.insert(name, content, None if condition is None else int(condition))
        if held is None:
            self._fail(412, "PreconditionFailed")
            return
        self.bucket.written[name] = now
        self._answer(200, answer, ETag=held.etag, x_goog_generation=str(held.generation))

    def do_POST(self) -> None:
        """Begin or end an upload in parts."""
        name, query, _ = self._begin()
        if self._is_refused():
            return
        if "uploads" in query:
            upload = f"upload-{len(self.bucket.parts)}"
            self.bucket.parts[upload] = {}
            told = f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
            self._answer(200, told.encode())
            return
        parts = [part for _, part in sorted(self.bucket.parts.pop(query["uploadId"][0]).items())]
        if any(len(part) < LEAST_PART_BYTES for part in parts[:-1]):
            self._fail(400, "EntityTooSmall")
            return
        etag = Held(name, b"".join(parts), 0, 0).etag
        told = f"<CompleteMultipartUploadResult><ETag>{etag}</ETag></CompleteMultipartUploadResult>"
        self._write(name, b"".join(parts), told.encode())

    def do_DELETE(self) -> None:
        """Delete one, or an upload in parts."""
        name, query, _ = self._begin()
        if self._is_refused():
            return
        if upload := query.get("uploadId"):
            self.bucket.parts.pop(upload[0], None)
            self._answer(204)
        elif self.bucket.objects.delete(name):
            self._answer(204)
        else:
            self._fail(404, "NoSuchKey")

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def _iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(seconds))


@contextmanager
def google_storage(objects: Objects | None = None) -> Iterator[GoogleBucket]:
    """A server with an empty bucket, or one of `objects`."""
    bucket = GoogleBucket(objects=objects or Memory())
    with serving(type("Google", (_Handler,), {"bucket": bucket})) as endpoint:
        bucket.endpoint = endpoint
        yield bucket
