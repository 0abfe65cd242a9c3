"""A flood of requests for lists over many connections; latencies of answers and of refusals; probes meanwhile.

It runs in its own process, on its own core. Clients ask again as soon as they have a reply, or wait as `Retry-After`
says; or requests arrive at a rate, whatever becomes of those before. Probes come over a new connection each, as those
of an orchestrator do.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import uvloop
from served import cpu_seconds

PROBES = ("/livez", "/readyz")


@dataclass
class Flood:
    """What came of one flood; latencies in milliseconds; `cpu`: processor seconds of the service."""

    seconds: float
    cpu: float = 0.0
    answered: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    probes: list[float] = field(default_factory=list)
    n_other: int = 0
    n_lost: int = 0
    n_without_retry_after: int = 0

    @property
    def goodput(self) -> float:
        """Lists per second."""
        return len(self.answered) / self.seconds

    @property
    def per_cpu(self) -> float:
        """Lists per processor second of the service, which other work on the machine hardly changes."""
        return len(self.answered) / max(self.cpu, 0.01)

    def text(self, capacity: "Flood | None") -> str:
        """A row of a table."""
        share = "" if capacity is None else f"{self.goodput / capacity.goodput:.2f}"
        of_cpu = "" if capacity is None else f"**{self.per_cpu / capacity.per_cpu:.2f}**"
        refused = f"{len(self.refused) / self.seconds:,.0f} | {_at(self.refused, 50)} | {_at(self.refused, 99)}"
        return (
            f"{self.goodput:,.0f} | {share} | {self.per_cpu:,.0f} | {of_cpu} "
            f"| {_at(self.answered, 50)} | {_at(self.answered, 99)} | {refused} "
            f"| {_at(self.probes, 99)} | {max(self.probes, default=0):.0f} | {self.n_other + self.n_lost}"
        )


def _at(latencies: list[float], percent: float) -> str:
    return f"{np.percentile(latencies, percent):.1f}" if latencies else "-"


class _Connection(asyncio.Protocol):
    """One request at a time; `done` is called with each reply's head."""

    def __init__(self, done: Callable[["_Connection", bytes | None], None]) -> None:
        self._done = done
        self._read = b""
        self.asked = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def ask(self, request: bytes, at: float) -> None:
        """Send a request; its latency counts from `at`."""
        self.asked = at
        self._transport.write(request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._read += data
        end = self._read.find(b"\r\n\r\n") + 4
        if end < 4:
            return
        head = self._read[:end]
        if len(self._read) < end + int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]):
            return
        self._read = b""
        self._done(self, head)

    def connection_lost(self, error: Exception | None) -> None:
        self._done(self, None)


class _Flooding:
    """Counts replies, and says what each connection does next."""

    def __init__(self, requests: Iterator[bytes], seconds: float) -> None:
        self.flood = Flood(seconds)
        self._requests = requests
        self.until = time.perf_counter() + seconds
        self.idle: deque[_Connection] = deque()
        self.due: deque[float] = deque()

    def count(self, connection: _Connection, head: bytes | None) -> bytes:
        """Count a reply; returns its status."""
        took = 1e3 * (time.perf_counter() - connection.asked)
        status = b"" if head is None else head[9:12]
        if time.perf_counter() > self.until:
            return status
        if head is None:
            self.flood.n_lost += 1
        elif status == b"200":
            self.flood.answered.append(took)
        elif status == b"503":
            self.flood.refused.append(took)
            self.flood.n_without_retry_after += b"retry-after: " not in head.lower()
        else:
            self.flood.n_other += 1
        return status

    def at_once(self, connection: _Connection, head: bytes | None) -> None:
        """The next request follows each reply."""
        self.count(connection, head)
        self._next(connection, head)

    def patient(self, connection: _Connection, head: bytes | None) -> None:
        """A refused client waits for a second."""
        if self.count(connection, head) == b"503":
            asyncio.get_running_loop().call_later(1.0, self._next, connection, head)
        else:
            self._next(connection, head)

    def _next(self, connection: _Connection, head: bytes | None) -> None:
        now = time.perf_counter()
        if head is not None and now < self.until:
            connection.ask(next(self._requests), now)

    def from_queue(self, connection: _Connection, head: bytes | None) -> None:
        """The next request is the one that has waited longest for a connection, if there is one."""
        self.count(connection, head)
        if head is not None:
            self.idle.append(connection)
            self.send_due()

    def send_due(self) -> None:
        """Send what has arrived, over the connections that are idle longest."""
        while self.idle and self.due:
            self.idle.popleft().ask(next(self._requests), self.due.popleft())


async def _probe(port: int, until: float) -> list[float]:
    latencies, turn = [], 0
    while (asked := time.perf_counter()) < until:
        turn += 1
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % PROBES[turn % 2].encode())
        ok = (await reader.read()).startswith(b"HTTP/1.1 200 ")
        latencies.append(1e3 * (time.perf_counter() - asked) if ok else 1e9)
        writer.close()
        await asyncio.sleep(0.05)
    return latencies


async def _connections(port: int, n: int, done: Callable[[_Connection, bytes | None], None]) -> list[_Connection]:
    loop = asyncio.get_running_loop()
    return [(await loop.create_connection(lambda: _Connection(done), "127.0.0.1", port))[1] for _ in range(n)]


async def _flood(
    port: int, requests: Iterator[bytes], seconds: float, *, n: int, mode: str, rate: float, pid: int
) -> Flood:
    flooding = _Flooding(requests, 1e9)
    done = {"at once": flooding.at_once, "patient": flooding.patient, "rate": flooding.from_queue}[mode]
    connections = await _connections(port, n, done)
    await asyncio.sleep(0.5)  # the service has accepted them
    before = cpu_seconds(pid)
    flooding.flood.seconds, flooding.until = seconds, time.perf_counter() + seconds
    probing = asyncio.create_task(_probe(port, flooding.until))
    if mode == "rate":
        flooding.idle.extend(connections)
        await _arrive(flooding, rate)
    else:
        for connection in connections:
            connection.ask(next(requests), time.perf_counter())
    flooding.flood.probes = await probing
    flooding.flood.cpu = cpu_seconds(pid) - before
    for connection in connections:
        connection._transport.close()
    await asyncio.sleep(0.5)
    return flooding.flood


async def _arrive(flooding: _Flooding, rate: float) -> None:
    begin, n_sent = time.perf_counter(), 0
    while (now := time.perf_counter()) < flooding.until:
        while n_sent < rate * (now - begin):
            flooding.due.append(begin + n_sent / rate)
            n_sent += 1
        flooding.send_due()
        await asyncio.sleep(0.001)


def flood(
    port: int, n_users: int, seconds: float, *, n: int, mode: str = "at once", rate: float = 0.0, pid: int
) -> Flood:
    """Ask for lists of random users over `n` connections for `seconds`.

    `pid`: of the service. `mode`: "at once", "patient" (a refused client waits for a second), or "rate": `rate`
    requests per second.
    """
    users = np.random.default_rng(1).integers(n_users, size=2_000_000)
    requests = (b"GET /v1/users/u%07d/recommendations?k=10 HTTP/1.1\r\nHost: x\r\n\r\n" % user for user in users)
    return uvloop.run(_flood(port, requests, seconds, n=n, mode=mode, rate=rate, pid=pid))
