"""What harmful clients do to a running service, counted, while an ordinary client asks it and keeps the time.

`torture/clients.py` has the bytes. `campaign` attacks whatever listens at a port; `served` runs the real service.
"""

import contextlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from recsys.artifacts.registry import Registry
from torture.clients import FLOODS, HALF_OPEN, REFUSED, is_closed
from torture.versions import seal

_PATIENCE = 60.0
_ORDINARY = b"GET /v1/model HTTP/1.1\r\nHost: x\r\n\r\n"


@dataclass
class Found:
    """What was tried, by kind; what failed; milliseconds of ordinary requests, alone and during the attacks.

    `n_overloaded`: ordinary requests that were refused with 503, because hundreds came at once.
    """

    n_tried: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    n_overloaded: int = 0
    alone: list[float] = field(default_factory=list)
    meanwhile: list[float] = field(default_factory=list)

    def text(self) -> str:
        """One line."""
        alone, meanwhile = (np.percentile(each, [50, 99, 100]) for each in (self.alone, self.meanwhile))
        shown = [" / ".join(f"{value:.1f}" for value in each) for each in (alone, meanwhile)]
        kinds = ", ".join(f"{n:,} {kind}" for kind, n in self.n_tried.items())
        times = f"p50 / p99 / most: alone {shown[0]} ms, meanwhile {shown[1]} ms"
        return f"{kinds}; {self.n_overloaded} of {len(self.meanwhile):,} ordinary requests refused; {times}"


class _Ordinary:
    """A client that asks over one connection, and over a new one each second time."""

    def __init__(self, port: int, found: Found) -> None:
        self._port, self._found, self._at = port, found, found.alone
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask_on)

    def __enter__(self) -> "_Ordinary":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def attacks_begin(self) -> None:
        """What follows is during the attacks."""
        self._at = self._found.meanwhile

    def _ask_on(self) -> None:
        kept = connect(self._port)
        while not self._ended.wait(0.02):
            for connection in (kept, None):
                started = time.perf_counter()
                status = self._ask(connection)
                self._at.append(1e3 * (time.perf_counter() - started))
                if status == b"503":
                    self._found.n_overloaded += 1
                elif status != b"200":
                    self._found.failures.append(f"an ordinary request: {status!r}")
        kept.close()

    def _ask(self, kept: socket.socket | None) -> bytes:
        try:
            with contextlib.nullcontext(kept) if kept else connect(self._port) as connection:
                connection.sendall(_ORDINARY)
                return _reply(connection)[9:12]
        except OSError as error:
            return repr(error).encode()


def _reply(connection: socket.socket) -> bytes:
    """One reply, whole."""
    read = b""
    while part := connection.recv(65_536):
        read += part
        head, ended, body = read.partition(b"\r\n\r\n")
        if ended and len(body) >= int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]):
            break
    return read


def connect(port: int) -> socket.socket:
    """A connection to this machine's `port`."""
    return socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE)


def campaign(port: int, *, n_half_open: int, n_splits: int, deadline: float, seconds_alone: float = 5.0) -> Found:
    """Attack the service at `port`.

    `n_half_open`: connections of each kind, all held at once until they are closed, which takes up to `deadline`
    seconds. `n_splits`: places at which each malformed request is cut into two packets.
    """
    found = Found()
    with _Ordinary(port, found) as ordinary:
        time.sleep(seconds_alone)
        ordinary.attacks_begin()
        for name, request in (REFUSED | FLOODS).items():
            for at in np.linspace(0, len(request) - 1, n_splits + 1).astype(int):
                found.n_tried["malformed"] += 1
                if problem := refusal_problem(port, request, int(at)):
                    found.failures.append(f"{name}, cut at {at}: {problem}")
        _reset_in_the_middle(port, n_half_open, found)
        for name, begin in HALF_OPEN.items():
            _hold(port, name, begin, n_half_open, deadline, found)
    return found


def refusal_problem(
    port: int, request: bytes, at: int, *, status: bytes = b" 400 ", seconds: float = _PATIENCE
) -> str | None:
    """What is wrong with the answer to a malformed request, sent in two packets; None if it is right.

    Right is one reply, whose status begins with `status`, after which the connection is closed, and no reply to what
    follows. Raises OSError if the service takes longer than `seconds` to answer or to close.
    """
    with connect(port) as connection, contextlib.suppress(BrokenPipeError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(seconds)
        reply = b""
        with contextlib.suppress(ConnectionResetError):
            for part in (request[:at], request[at:] + _ORDINARY):
                if part:
                    connection.sendall(part)
            while part := connection.recv(65_536):
                reply += part
        if reply.count(b"HTTP/1.1 ") != 1 or not reply.startswith(b"HTTP/1.1" + status):
            return f"answered {reply[:60]!r}, {reply.count(b'HTTP/1.1 ')} replies"
    return None


def _reset_in_the_middle(port: int, n: int, found: Found) -> None:
    """Connections that are reset, not closed, in the middle of a body or before the reply is read."""
    for begin in (HALF_OPEN["half a body"], _ORDINARY * 3):
        for _ in range(n):
            found.n_tried["reset"] += 1
            with connect(port) as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                connection.sendall(begin)


def _hold(port: int, name: str, begin: bytes, n: int, deadline: float, found: Found) -> None:
    """Open `n` connections that send `begin`, and then drip; all are to be closed by the service in time."""
    held = [connect(port) for _ in range(n)]
    started = time.monotonic()
    for connection in held:
        with contextlib.suppress(OSError):
            connection.sendall(begin)
        connection.setblocking(False)
    found.n_tried[f"half open: {name}"] += n
    while held and time.monotonic() - started < deadline:
        time.sleep(deadline / 20)
        held = [connection for connection in held if not is_closed(connection, drip=bool(begin))]
    if held:
        found.failures.append(f"{name}: {len(held)} of {n} are still open after {deadline:.0f} s")
    for connection in held:
        connection.close()


@contextlib.contextmanager
def served() -> Iterator[tuple[int, int]]:
    """The real service on a small version, in a process of its own: its port and process id."""
    with tempfile.TemporaryDirectory() as folder:
        store, log = Path(folder) / "store", Path(folder) / "log"
        Registry(store).publish(seal(store))
        command = [sys.executable, "-m", "api", "--store", str(store), "--port", "0", "--log-level", "warning"]
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        command[command.index("0")] = str(port)
        with log.open("wb") as sink, subprocess.Popen(command, stderr=sink) as process:
            try:
                _wait_until_ready(port, process)
                yield port, process.pid
            finally:
                process.terminate()


def _wait_until_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), connect(port) as connection:
            connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
            if connection.recv(1000).startswith(b"HTTP/1.1 200 "):
                return
        time.sleep(0.1)
    raise RuntimeError("the service did not start")


def held_by(pid: int) -> tuple[int, int]:
    """Descriptors and resident KiB of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return len([*Path(f"/proc/{pid}/fd").iterdir()]), int(resident.split()[1])
