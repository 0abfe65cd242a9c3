"""The service's protocol in this process, in front of an application of a few lines, with short deadlines."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import uvicorn
from prometheus_client import CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from api.admission.admission import Admission
from api.admission.refusal import Refuser
from api.admission.traffic import Traffic
from api.process.connections import Connections, Limits
from api.process.protocol import ServiceProtocol
from api.process.traffic_control import TrafficControl

SHORT = Limits(most=50, most_of_address=50, head=0.4, body=0.4, rest=0.2, read=0.4)
BIG = 8_000_000


class Running:
    """A server in a thread; `seen`: method, path and body of each request that reached the application."""

    def __init__(self, limits: Limits = SHORT, **tls: Any) -> None:
        self.registry = CollectorRegistry()
        traffic = Traffic(self.registry)
        admission = Admission(traffic)
        self.control = TrafficControl(traffic, admission, Connections(limits, traffic), Refuser())
        self.seen: list[tuple[str, str, bytes]] = []
        routes = [
            Route("/big", self._big),
            Route("/wait", self._wait),
            Route("/parts", self._parts),
            Route("/split", self._split),
            Route("/nothing", self._nothing),
            Route("/fails", self._fails),
            Route("/unread", self._unread, methods=["POST"]),
            Route("/{rest:path}", self._echo, methods=["GET", "POST", "HEAD", "PUT"]),
        ]
        app = Starlette(routes=routes, lifespan=self._lifespan)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self._listener.getsockname()[1]
        options: dict[str, Any] = {
            "log_config": None,
            **tls,
            "lifespan": "on",
            "ws": "none",
            "timeout_graceful_shutdown": 1,
        }
        self._server = uvicorn.Server(uvicorn.Config(app, http=ServiceProtocol, access_log=False, **options))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listener]})

    def __enter__(self) -> "Running":
        self._thread.start()
        while not self._server.started:
            time.sleep(0.005)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: object) -> AsyncIterator[dict[str, object]]:
        async with self.control.watching():
            yield self.control.as_state()

    async def _echo(self, request: Request) -> Response:
        self.seen.append((request.method, request.url.path, await request.body()))
        return Response("ok")

    async def _unread(self, request: Request) -> Response:
        return Response("no", 404)

    async def _big(self, request: Request) -> Response:
        return Response(b"x" * BIG)

    async def _wait(self, request: Request) -> Response:
        self.seen.append((request.method, request.url.path, b""))
        await asyncio.sleep(0.6)
        return Response("ok")

    async def _parts(self, request: Request) -> Response:
        return StreamingResponse(iter([b"one", b"", b"two"]))

    async def _split(self, request: Request) -> Response:
        return Response("ok", headers={"X": "y\r\nInjected: z"})

    async def _nothing(self, request: Request) -> Response:
        return Response(status_code=304)

    async def _fails(self, request: Request) -> Response:
        raise RuntimeError("on purpose")

    def metric(self, name: str) -> float:
        """A sample of the metrics, once the tally was flushed."""
        time.sleep(0.15)
        lines = generate_latest(self.registry).decode().splitlines()
        return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


@contextlib.contextmanager
def running(**changes: float) -> Iterator[Running]:
    """A server whose limits are SHORT, but for `changes`."""
    with Running(replace(SHORT, **changes)) as server:  # type: ignore[arg-type]
        yield server


def connect(port: int) -> socket.socket:
    """A connection; reads give up after five seconds."""
    return socket.create_connection(("127.0.0.1", port), timeout=5)


def read_reply(connection: socket.socket) -> bytes:
    """One reply, whole: head and body may come apart."""
    read = b""
    while part := connection.recv(65_536):
        read += part
        head, ended, body = read.partition(b"\r\n\r\n")
        if ended and len(body) >= int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]):
            break
    return read


def read_all(connection: socket.socket) -> bytes:
    """What comes until the other side closes."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def exchange(port: int, sent: bytes) -> bytes:
    """Send `sent` on a new connection, and read until the service closes it."""
    with connect(port) as connection:
        connection.sendall(sent)
        return read_all(connection)


def problem_of(reply: bytes) -> dict[str, object]:
    """The body of a reply that is a problem."""
    head, body = reply.split(b"\r\n\r\n", 1)
    assert b"content-type: application/problem+json" in head
    found: dict[str, object] = json.loads(body)
    assert f"x-request-id: {found['request_id']}".encode() in head
    return found
