"""An S3 server on loopback, and a server before it that fails in chosen ways."""

import http.client
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from urllib.parse import quote

BUCKET = "shop-data"


@dataclass
class Bucket:
    """A bucket of an S3 server at `endpoint`.

    `faults` are taken by the requests for objects, one after the other, `write_faults` by those that write or delete:
    "" is none, a number is a status that is answered without doing anything; "cut" half of the body; "altered" a body
    with one other byte; "lost" does what was asked and breaks the connection; "broken" breaks it before; "slow" waits
    `slow_seconds` before it does what was asked. `ignores_conditions`: writes are done whatever If-Match says.
    `unreadable`: part of the paths whose objects are answered with 503. `before_upload`: called once, before the
    first object of a version is written.
    """

    endpoint: str
    faults: list[str] = field(default_factory=list)
    write_faults: list[str] = field(default_factory=list)
    slow_seconds: float = 0.3
    ignores_conditions: bool = False
    unreadable: str = ""
    before_upload: Callable[[], object] | None = None
    requests: list[str] = field(default_factory=list)

    def put(self, key: str, content: bytes) -> None:
        """Write an object."""
        self._send("PUT", f"/{BUCKET}/{quote(key)}", content)

    def put_folder(self, folder: Path, key: str) -> None:
        """Write every file below a folder."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(f"{key}/{path.relative_to(folder).as_posix()}", path.read_bytes())

    def empty(self) -> None:
        """Remove every object, for servers that outlive a test."""
        for key in re.findall(r"<Key>(.*?)</Key>", self._send("GET", f"/{BUCKET}?list-type=2")):
            self._send("DELETE", f"/{BUCKET}/{quote(unescape(key))}")

    def make(self) -> None:
        """Make the bucket, if there is none."""
        self._send("PUT", f"/{BUCKET}")

    def _send(self, method: str, path: str, content: bytes = b"") -> str:
        host = self.endpoint.partition("://")[2]
        connection = http.client.HTTPConnection(host, timeout=10)
        login = {"Authorization": "AWS4-HMAC-SHA256 Credential=test/20240101/us-east-1/s3/aws4_request"}
        connection.request(method, path, content, login)
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
        connection.close()
        assert answer.status < 300, text
        return text


_CONDITIONS = ("if-match", "if-none-match", "x-goog-if-generation-match")


class _Proxy(BaseHTTPRequestHandler):
    """Passes requests on to the S3 server; a GET of an object may be refused, cut short or answered late."""

    protocol_version = "HTTP/1.1"
    bucket: Bucket
    behind: str
    writing: Lock

    def _pass_on(self) -> None:
        self.bucket.requests.append(f"{self.command} {self.path}")
        fault = self._fault()
        if self.command == "PUT" and "/versions/" in self.path and (call := self.bucket.before_upload) is not None:
            self.bucket.before_upload = None
            call()
        if fault == "slow":
            time.sleep(self.bucket.slow_seconds)
        if fault == "broken":
            self.close_connection = True
            return
        if fault.isdigit():
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(int(fault))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        with self.writing if self.command in ("PUT", "POST", "DELETE") else nullcontext():  # conditions are atomic
            status, headers, body = self._answer()
        if fault == "lost":
            self.close_connection = True
            return
        if fault == "altered" and body:
            body = body[:-1] + bytes([body[-1] ^ 1])
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            with suppress(BrokenPipeError, ConnectionResetError):  # whoever waited too long has gone
                self.wfile.write(body[: len(body) // 2] if fault == "cut" else body)
        if fault == "cut":
            self.close_connection = True

    def _fault(self) -> str:
        """The next fault that this request takes."""
        if self.bucket.unreadable and self.command == "GET" and self.bucket.unreadable in self.path:
            return "503"
        of_object = not any(sign in self.path for sign in ("list-type", "location", "comp=list"))
        if self.command in ("PUT", "POST", "DELETE") and (self.path.count("/") > 1 or self.path.endswith("?delete")):
            faults = self.bucket.write_faults
        else:
            faults = self.bucket.faults if self.command == "GET" and of_object else []
        try:
            return faults.pop(0)
        except IndexError:
            return ""

    def _answer(self) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(self.behind, timeout=10)
        size = int(self.headers.get("Content-Length", 0))
        sent = dict(self.headers)
        if self.bucket.ignores_conditions:
            sent = {name: value for name, value in sent.items() if name.lower() not in _CONDITIONS}
        connection.request(self.command, self.path, self.rfile.read(size), sent)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        dropped = ("transfer-encoding", "connection", "content-length")
        headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in dropped]
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(body))
        return answer.status, [*headers, ("Content-Length", length or "0")], body

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass_on  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


class _Server(ThreadingHTTPServer):
    """Says nothing of clients that gave up."""

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """A server on loopback: its address."""
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def login(endpoint: str) -> dict[str, str]:
    """The environment of a process that reads the S3 server at `endpoint`."""
    return {
        "AWS_ACCESS_KEY_ID": "AKIATEST",
        "AWS_SECRET_ACCESS_KEY": "the-secret-of-the-test",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
    }


@contextmanager
def proxied(behind: str, *, is_made: bool = False) -> Iterator[Bucket]:
    """The bucket of the server `behind` (host and port), through a server that fails when it is told to.

    It is made on an S3 server, unless it `is_made` already.
    """
    bucket = Bucket("")
    with serving(type("Proxy", (_Proxy,), {"bucket": bucket, "behind": behind, "writing": Lock()})) as endpoint:
        bucket.endpoint = endpoint
        if not is_made:
            bucket.make()
        yield bucket
