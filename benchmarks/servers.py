"""Servers for ASGI applications under attack, and their speed: one reply of a few bytes, one worker on one core.

    pip install --target FOLDER granian hypercorn httptools; PYTHONPATH=FOLDER:. python benchmarks/servers.py

Malformed: requests of `torture/clients.py` that are answered with one 400 and closed; half open: kinds of connections
that are closed within 20 s, with each server's usual settings and those that it has for the purpose.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import load
from served import cpu_seconds

from torture.attacks import connect, refusal_problem
from torture.clients import FLOODS, HALF_OPEN, REFUSED, is_closed

APP = """
import contextlib
from prometheus_client import CollectorRegistry
from api.admission.admission import Admission
from api.admission.refusal import Refuser
from api.admission.traffic import Traffic
from api.process.connections import Connections, Limits
from api.process.traffic_control import TrafficControl
from starlette.applications import Starlette
from starlette.responses import Response

@contextlib.asynccontextmanager
async def lifespan(app):
    traffic = Traffic(CollectorRegistry())
    control = TrafficControl(traffic, Admission(traffic), Connections(Limits.of_process(), traffic), Refuser())
    async with control.watching():
        yield control.as_state()

async def echo(request):
    await request.body()
    return Response("ok")

app = Starlette(lifespan=lifespan)
app.add_route("/{rest:path}", echo, methods=["GET", "POST"])
"""

_UVICORN = ("uvicorn", "attacked:app", "--port", "{port}", "--log-level", "error", "--no-access-log", "--ws", "none")
SERVERS = {
    "uvicorn, h11": (*_UVICORN, "--http", "h11", "--h11-max-incomplete-event-size", "16384"),
    "uvicorn, httptools": (*_UVICORN, "--http", "httptools"),
    "granian": (
        *("granian", "attacked:app", "--interface", "asgi", "--port", "{port}", "--no-access-log", "--no-ws"),
        *("--http", "1", "--http1-header-read-timeout", "10000", "--http1-buffer-size", "16384"),
    ),
    "hypercorn, h11": (
        *("hypercorn", "attacked:app", "--bind", "127.0.0.1:{port}", "--read-timeout", "10"),
        *("--worker-class", "uvloop", "--log-level", "error"),
    ),
    "uvicorn, h11, protocol of this service": (*_UVICORN, "--http", "api.process.protocol:ServiceProtocol"),
}


def main() -> None:
    """Attack each server in turn and print the table."""
    print("| server | requests/s | processor us | malformed refused | half open closed | not refused | still open |")
    print("| :-- | --: | --: | --: | --: | :-- | :-- |")
    for name, command in SERVERS.items():
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "attacked.py").write_text(APP)
            print(f"| {name} | {_row(command, folder)} |", flush=True)


def _row(command: tuple[str, ...], folder: str) -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    arguments = [part.format(port=port) for part in command]
    environ = os.environ | {"PYTHONPATH": f"{folder}:{os.environ.get('PYTHONPATH', '')}"}
    start = ["taskset", "-c", "0", sys.executable, "-m", *arguments]
    with subprocess.Popen(start, env=environ, start_new_session=True, stderr=subprocess.DEVNULL) as process:
        try:
            _wait(port)
            return f"{_speed(port, process.pid)} | {_attacks(port)}"
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def _wait(port: int) -> None:
    for _ in range(300):
        try:
            connect(port).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the server did not start")


def _speed(port: int, pid: int) -> str:
    with load.client(core=1) as pool:
        before = _cpu(pid)
        found = pool.submit(load.saturate, port, ["/constant"] * 60_000, 4.0, n_connections=32).result()
        return f"{found.rate:,.0f} | {1e6 * (_cpu(pid) - before) / found.n_requests:,.0f}"


def _cpu(session: int) -> float:
    """Processor seconds of all processes of a session."""
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return sum(cpu_seconds(pid) for pid in pids if _session(pid) == session)


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return -1


def _attacks(port: int) -> str:
    requests = REFUSED | FLOODS
    answered = [name for name, request in requests.items() if _is_not_refused(port, request)]
    still_open = _still_open(port)
    refused, closed = len(requests) - len(answered), len(HALF_OPEN) - len(still_open)
    counts = f"{refused} of {len(requests)} | {closed} of {len(HALF_OPEN)}"
    return f"{counts} | {', '.join(answered) or '-'} | {', '.join(still_open) or '-'}"


def _is_not_refused(port: int, request: bytes) -> bool:
    try:
        return refusal_problem(port, request, 0, seconds=3.0, status=b" 4") is not None
    except OSError:
        return True


def _still_open(port: int) -> list[str]:
    """Kinds that the server has not closed within 20 s, a byte being sent each second."""
    held = {}
    for name, begin in HALF_OPEN.items():
        held[name] = connect(port)
        held[name].sendall(begin)
        held[name].setblocking(False)
    for _ in range(20):
        time.sleep(1)
        held = {name: it for name, it in held.items() if not is_closed(it, drip=bool(HALF_OPEN[name]))}
    for connection in held.values():
        connection.close()
    return list(held)


if __name__ == "__main__":
    main()
