"""Replicas replaced one after the other while versions are published: every request is answered.

Services with `--store s3://...` and caches of their own, asked by clients that go round those whose `/readyz` is 200,
as a load balancer does. The next one starts on an empty cache, and is asked once it is ready; the old one is taken
out of turn a moment before it is told to end, as the pods of deploy/kubernetes are by their preStop pause.
"""

import http.client
import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from torture.object_versions import let_serve
from torture.replicas import ADDRESS, Versions

CLIENTS = 4
PAUSE_SECONDS = 1.0
"""Between taking a replica out of turn and SIGTERM."""

_PATIENCE = 60.0


@dataclass
class Rolling:
    """What was answered. `delays`: seconds from a publish until all replicas served it."""

    n_replaced: int = 0
    n_published: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    delays: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def text(self) -> str:
        """One line of figures."""
        slowest = f"{max(self.delays):.1f} s at the most" if self.delays else "never"
        return (
            f"{self.n_replaced} replicas replaced and {self.n_published} versions published during "
            f"{self.statuses.total():,} requests, by status {dict(self.statuses)}; all replicas served a version "
            f"after {slowest}"
        )


class Service:
    """One replica, a process of its own."""

    def __init__(self, folder: Path, *, poll: float) -> None:
        folder.mkdir()
        self.log = folder / "log"
        options = {"--store": ADDRESS, "--cache": str(folder / "cache"), "--port": "0", "--poll-seconds": str(poll)}
        command = [sys.executable, "-P", "-m", "api", *(text for option in options.items() for text in option)]
        with self.log.open("wb") as sink:
            self.process = subprocess.Popen(command, stderr=sink)
        self.port = self._port()

    def _port(self) -> int:
        end = time.monotonic() + _PATIENCE
        while (found := re.search(r"listening on http://[\d.]+:(\d+)", self.log.read_text())) is None:
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the service did not start:\n{self.log.read_text()}")
            time.sleep(0.05)
        return int(found[1])

    def version(self) -> str | None:
        """The version that it serves, None if it is not ready."""
        try:
            status, body = ask(self.port, "/readyz")
        except OSError:
            return None
        return str(json.loads(body)["model_version"]) if status == 200 else None

    def wait_for(self, version: str) -> None:
        """Until it serves `version`. Raises RuntimeError."""
        end = time.monotonic() + _PATIENCE
        while self.version() != version:
            if time.monotonic() > end:
                raise RuntimeError(f"{version} does not serve:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.05)

    def end(self) -> None:
        """As Kubernetes ends a pod."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(_PATIENCE)


class Turn:
    """The replicas that are asked, in turn."""

    def __init__(self) -> None:
        self._ports: list[int] = []
        self._next = 0
        self._lock = threading.Lock()

    def set(self, ports: list[int]) -> None:
        """Ask these from now on."""
        with self._lock:
            self._ports = ports

    def next(self) -> int:
        """The one whose turn it is."""
        with self._lock:
            self._next += 1
            return self._ports[self._next % len(self._ports)]


def campaign(
    versions: Versions, folder: Path, *, n_replicas: int = 3, n_rounds: int = 1, poll: float = 1.0
) -> Rolling:
    """Replace every replica `n_rounds` times, and publish a version before each replacement."""
    found, turn, ended = Rolling(), Turn(), threading.Event()
    known = {versions.old, versions.new}
    with ExitStack() as stack:
        running = [Service(folder / f"replica-{number}", poll=poll) for number in range(n_replicas)]
        stack.callback(lambda: [service.process.kill() for service in running])
        let_serve(versions.objects, versions.old)
        for service in running:
            service.wait_for(versions.old)
        turn.set([service.port for service in running])
        clients = [threading.Thread(target=_client, args=(turn, ended, known, found)) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        try:
            _replace_all(versions, folder, running, turn, found, n_rounds=n_rounds, poll=poll)
        finally:
            ended.set()
            for client in clients:
                client.join()
    return found


def _replace_all(
    versions: Versions,
    folder: Path,
    running: list[Service],
    turn: Turn,
    found: Rolling,
    *,
    n_rounds: int,
    poll: float,
) -> None:
    serving = versions.old
    for number in range(n_rounds * len(running)):
        serving = versions.new if serving == versions.old else versions.old
        let_serve(versions.objects, serving)
        published = time.monotonic()
        fresh = Service(folder / f"fresh-{number}", poll=poll)  # while the others follow
        for service in running:
            service.wait_for(serving)
        found.delays.append(time.monotonic() - published)
        found.n_published += 1
        fresh.wait_for(serving)
        running.append(fresh)
        old = running.pop(0)
        turn.set([service.port for service in running])
        time.sleep(PAUSE_SECONDS)
        old.end()
        found.n_replaced += 1


def _client(turn: Turn, ended: threading.Event, known: set[str], found: Rolling) -> None:
    number = 0
    while not ended.is_set():
        number += 1
        port = turn.next()
        try:
            status, body = ask(port, f"/v1/users/user%20{number % 40:03}/recommendations?k=5")
            answer = json.loads(body)
            if status != 200 or answer["model_version"] not in known or not answer["items"]:
                found.failures.append(f"{status}: {body[:200]!r}")
            found.statuses[str(status)] += 1
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            found.statuses[type(error).__name__] += 1
            found.failures.append(f"port {port}: {type(error).__name__}: {error}")
        time.sleep(0.005)


def ask(port: int, path: str) -> tuple[int, bytes]:
    """Status and body of a GET, on a connection of its own. Raises OSError, HTTPException."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()
