"""A load client: keep-alive connections, and only the part of HTTP that the service uses.

It runs in its own process (started by `running`) on its own core, and takes a small part of the time that the service
takes for a request.
"""

import asyncio
import itertools
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

Paths = Callable[[int], str]
"""The path of the n-th request."""


@dataclass(frozen=True)
class Reply:
    """One reply; `head` is the status line and the headers."""

    head: bytes
    body: bytes

    @property
    def is_ok(self) -> bool:
        """Whether the status is 200."""
        return self.head.startswith(b"HTTP/1.1 200 ")


@dataclass(frozen=True)
class Load:
    """The replies to one period of load; latencies in milliseconds, those of `/livez` apart."""

    seconds: float
    n_requests: int
    n_failed: int
    latencies: Sequence[float]
    probes: Sequence[float]

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.n_requests / self.seconds

    def percentile(self, percent: float) -> float:
        """A percentile of the latencies, in milliseconds."""
        return float(np.percentile(self.latencies, percent))


class Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self._read = bytearray()
        self._reply: asyncio.Future[Reply] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what is written to."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Hand over a reply once it is whole."""
        self._read += data
        end = self._read.find(b"\r\n\r\n") + 4
        if end < 4 or self._reply is None:
            return
        head = bytes(self._read[:end])
        size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(self._read) >= end + size:
            reply, self._reply = self._reply, None
            body = bytes(self._read[end : end + size])
            self._read.clear()
            if not reply.cancelled():
                reply.set_result(Reply(head, body))

    def connection_lost(self, error: Exception | None) -> None:
        """A request under way has failed."""
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(error or ConnectionResetError("the service hung up"))

    def ask(self, path: str) -> asyncio.Future[Reply]:
        """GET `path`."""
        return self._send(b"GET %b HTTP/1.1\r\nHost: service\r\n\r\n" % path.encode())

    def post(self, path: str, body: bytes) -> asyncio.Future[Reply]:
        """POST a body of JSON."""
        head = b"POST %b HTTP/1.1\r\nHost: service\r\nContent-Length: %d\r\n\r\n" % (path.encode(), len(body))
        return self._send(head + body)

    def _send(self, request: bytes) -> asyncio.Future[Reply]:
        self._reply = asyncio.get_running_loop().create_future()
        assert isinstance(self._transport, asyncio.Transport)
        self._transport.write(request)
        return self._reply


async def connect(port: int, n: int) -> list[Connection]:
    """`n` connections to the service at `port` of this machine."""
    loop = asyncio.get_running_loop()
    return [(await loop.create_connection(Connection, "127.0.0.1", port))[1] for _ in range(n)]


async def _saturate(port: int, paths: Sequence[str], seconds: float, n_connections: int) -> Load:
    """Send the next request on each connection once it has its reply; `/livez` meanwhile, on its own connection."""
    *connections, probe = await connect(port, n_connections + 1)
    started = time.perf_counter()
    until, latencies, failed = started + seconds, list[float](), list[str]()
    wanted = iter(paths)

    async def keep_asking(connection: Connection) -> None:
        while time.perf_counter() < until and (path := next(wanted, None)) is not None:
            asked = time.perf_counter()
            reply = await connection.ask(path)
            latencies.append(1e3 * (time.perf_counter() - asked))
            if not reply.is_ok:
                failed.append(path)

    probing = asyncio.create_task(_probe(probe, until))
    await asyncio.gather(*map(keep_asking, connections))
    return Load(time.perf_counter() - started, len(latencies), len(failed), latencies, await probing)


async def _probe(connection: Connection, until: float) -> list[float]:
    latencies = []
    while (asked := time.perf_counter()) < until:
        await connection.ask("/livez")
        latencies.append(1e3 * (time.perf_counter() - asked))
        await asyncio.sleep(0.05)
    return latencies


async def _arrive(port: int, paths: Sequence[str], seconds: float, rate: float) -> Load:
    """Requests that arrive at random, `rate` per second; a latency counts from the arrival, including the wait."""
    idle: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
    for connection in await connect(port, 64):
        idle.put_nowait(connection)
    latencies, failed = list[float](), list[str]()

    async def ask(path: str, due: float) -> None:
        connection = await idle.get()
        reply = await connection.ask(path)
        latencies.append(1e3 * (time.perf_counter() - due))
        failed.extend([] if reply.is_ok else [path])
        idle.put_nowait(connection)

    started = time.perf_counter()
    gaps = np.random.default_rng(1).exponential(1 / rate, len(paths))
    dues = itertools.takewhile(lambda due: due < started + seconds, started + np.cumsum(gaps))
    async with asyncio.TaskGroup() as tasks:
        for path, due in zip(paths, dues, strict=False):
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.create_task(ask(path, float(due)))
    return Load(time.perf_counter() - started, len(latencies), len(failed), latencies, ())


def saturate(port: int, paths: Sequence[str], seconds: float, *, n_connections: int) -> Load:
    """As many of `paths` as are answered in `seconds`, `n_connections` at a time."""
    return asyncio.run(_saturate(port, paths, seconds, n_connections))


def arrive(port: int, paths: Sequence[str], seconds: float, *, rate: float) -> Load:
    """`paths` at random times, `rate` per second, for `seconds`."""
    return asyncio.run(_arrive(port, paths, seconds, rate))


@contextmanager
def client(core: int) -> Iterator[ProcessPoolExecutor]:
    """A process on `core` to run `saturate` and `arrive` in."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn, initializer=os.sched_setaffinity, initargs=(0, {core})) as pool:
        yield pool
