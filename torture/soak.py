"""A service under load for long, with a new version every five seconds and events on: nothing fails, nothing grows.

`recsys serve` with two workers on the store of `recsys demo`. Its capacity is measured first; 70 % of that is asked.
"""

import asyncio
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from recsys.artifacts.registry import Registry
from torture.processes import Growth, Reading, family, growths, read
from torture.versions import change

LANES = 16
"""Connections, each with one request at a time."""
SHARE = 0.7
RELOAD_SECONDS = 5.0
PATIENCE = 60.0


@dataclass
class Soak:
    """What was asked, what failed, and what the processes held."""

    capacity: float
    """Requests per second."""
    seconds: float
    statuses: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    """Seconds, from when a request was due."""
    readings: list[Reading] = field(default_factory=list)
    n_published: int = 0
    n_reconnected: int = 0

    @property
    def growths(self) -> list[Growth]:
        """Over the second half."""
        return growths(self.readings)

    def text(self) -> str:
        """One line of figures."""
        quantiles = 1000 * np.quantile(self.latencies, [0.5, 0.99]) if self.latencies else (0, 0)
        return (
            f"{len(self.latencies):,} requests in {self.seconds:.0f} s at {SHARE:.0%} of {self.capacity:.0f}/s, "
            f"by status {dict(self.statuses)}, p50 {quantiles[0]:.1f} ms, p99 {quantiles[1]:.1f} ms, "
            f"{self.n_published} versions published, {self.n_reconnected} connections opened anew; "
            + "; ".join(map(str, self.growths))
        )


def campaign(seconds: float) -> Soak:
    """Make a store, serve it, measure what it can do, and ask for 70 % of that for so many seconds."""
    with tempfile.TemporaryDirectory(prefix="recsys-soak-") as name:
        folder = Path(name)
        _recsys("demo", folder=folder)
        store = folder / "runs/demo/store"
        registry = Registry(store)
        first = registry.current() or ""
        versions = [first, change(store, first, lambda version: _other_seed(version))]
        users = registry.load().users.ids.to_pylist()[:2000]
        items = registry.load().items.ids.ids.to_pylist()[:200]
        with _served(store, folder) as (port, pid):
            questions = [_question(number, users, items) for number in range(5_000)]
            capacity = asyncio.run(_capacity(port, questions, max(3.0, min(20.0, seconds / 10))))
            return asyncio.run(_soak(port, pid, questions, Soak(capacity, seconds), registry, versions))


def _recsys(*arguments: str, folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "pipelines", *arguments], cwd=folder, check=True, capture_output=True)


def _other_seed(version: Path) -> None:
    """Another configuration in the manifest, so that the version has another name."""
    manifest = version / "manifest.json"
    fields = json.loads(manifest.read_bytes())
    fields["config"]["soak"] = True
    manifest.write_text(json.dumps(fields), encoding="utf-8")


@contextmanager
def _served(store: Path, folder: Path) -> Iterator[tuple[int, int]]:
    """Port and process of `recsys serve`."""
    log = folder / "serve.log"
    options = ["--store", str(store), "--port", "0", "--workers", "2", "--events", str(folder / "events.db")]
    with log.open("wb") as sink:
        command = [sys.executable, "-m", "pipelines", "serve", *options]
        process = subprocess.Popen(command, stdout=sink, stderr=sink)
        try:
            ends = time.monotonic() + PATIENCE
            while log.read_text().count("serving version") < 2:
                if process.poll() is not None or time.monotonic() > ends:
                    raise RuntimeError(log.read_text())
                time.sleep(0.05)
            found = re.search(r"listening on http://127\.0\.0\.1:(\d+)", log.read_text())
            yield int(found[1]) if found else 0, process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _question(number: int, users: list[str], items: list[str]) -> bytes:
    """Seven lists of users, two of similar items, one post of two events in ten."""
    user, item = users[number * 7 % len(users)], items[number % len(items)]
    if number % 10 in (3, 6):
        return f"GET /v1/items/{item}/similar?k=10 HTTP/1.1\r\nHost: soak\r\n\r\n".encode()
    if number % 10 == 9:
        body = json.dumps({"events": [{"user_id": user, "item_id": item}, {"session_id": "s", "item_id": item}]})
        head = (
            f"POST /v1/events HTTP/1.1\r\nHost: soak\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        )
        return f"{head}\r\n\r\n{body}".encode()
    return f"GET /v1/users/{user}/recommendations?k=10 HTTP/1.1\r\nHost: soak\r\n\r\n".encode()


class _Lane:
    """One connection, opened anew if the server has closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.n_opened = 0

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Status and body. Raises OSError or IncompleteReadError if a new connection fails too."""
        if self._streams is not None:
            with suppress(OSError, asyncio.IncompleteReadError):  # closed while nothing was asked
                return await self._ask(*self._streams, request)
        self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        self.n_opened += 1
        return await self._ask(*self._streams, request)

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
    ) -> tuple[int, bytes]:
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        return int(head.split(" ", 2)[1]), await reader.readexactly(length)

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()


async def _capacity(port: int, questions: list[bytes], seconds: float) -> float:
    """Requests per second if every connection asks again as soon as it is answered."""
    ends, n_answered = time.monotonic() + seconds, 0

    async def lane(start: int) -> None:
        nonlocal n_answered
        connection = _Lane(port)
        while time.monotonic() < ends:
            await connection.ask(questions[(start + n_answered) % len(questions)])
            n_answered += 1
        connection.close()

    await asyncio.gather(*(lane(997 * at) for at in range(LANES)))
    return n_answered / seconds


async def _soak(
    port: int, pid: int, questions: list[bytes], soak: Soak, registry: Registry, versions: list[str]
) -> Soak:
    ends = time.monotonic() + soak.seconds
    pids = family(pid)
    lanes = (_ask_on(port, questions, soak, ends, at) for at in range(LANES))
    await asyncio.gather(*lanes, _reload(registry, versions, soak, ends), _watch(pids, soak, ends))
    if gone := set(pids) - set(family(pid)):
        soak.failures.append(f"processes ended: {sorted(gone)}")
    _, metrics = await _Lane(port).ask(b"GET /metrics HTTP/1.1\r\nHost: soak\r\n\r\n")
    reloads = dict(re.findall(r'recsys_reloads_total\{result="(\w+)"\} ([\d.]+)', metrics.decode()))
    soak.statuses.update({f"reload {result}": int(float(n)) for result, n in reloads.items() if float(n)})
    soak.failures += [
        f"reloads that ended with {result}: {n}" for result, n in reloads.items() if result != "ok" and float(n)
    ]
    soak.failures += [str(each) for each in soak.growths if not each.is_flat]
    return soak


async def _ask_on(port: int, questions: list[bytes], soak: Soak, ends: float, at: int) -> None:
    """Ask on one connection, a request whenever one is due."""
    connection, number, pause = _Lane(port), at, LANES / (SHARE * soak.capacity)
    due = time.monotonic() + at * pause / LANES
    while due < ends:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        try:
            status, body = await asyncio.wait_for(connection.ask(questions[number % len(questions)]), PATIENCE)
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            soak.statuses["none"] += 1
            soak.failures.append(f"no reply: {error!r}")
        else:
            soak.statuses[str(status)] += 1
            if status != 200 or b'"refused": [{' in body or b'"refused":[{' in body:
                soak.failures.append(f"status {status}: {body[:200]!r}")
        soak.latencies.append(time.monotonic() - due)
        number, due = number + LANES, max(due + pause, time.monotonic() - 1.0)  # after a stop, no flood
    soak.n_reconnected += connection.n_opened - 1
    connection.close()


async def _reload(registry: Registry, versions: list[str], soak: Soak, ends: float) -> None:
    while time.monotonic() + RELOAD_SECONDS < ends:
        await asyncio.sleep(RELOAD_SECONDS)
        soak.n_published += 1
        await asyncio.to_thread(registry.publish, versions[soak.n_published % 2])


async def _watch(pids: list[int], soak: Soak, ends: float) -> None:
    """Read what every process holds, two hundred times in all or once per second."""
    while time.monotonic() < ends:
        with suppress(OSError):  # one that has ended is told at the end
            soak.readings += [read(pid) for pid in pids]
        await asyncio.sleep(max(1.0, soak.seconds / 200))
