"""The real service in its own process, on one core, with two extra routes that return a constant body.

python benchmarks/served.py --store STORE --port 0        # takes what `python -m api` takes
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fastapi import FastAPI, Request, Response

import api.app
from api.__main__ import main

CONSTANT, DIRECT = "/constant", "/direct"

_PATIENCE = 120.0
_TICKS = os.sysconf("SC_CLK_TCK")
_ITEM = {"item_id": "b0000000", "score": 1.3127610683441162, "rank": 5, "title": "The book of number 26609"}
_BODY = json.dumps(
    {
        "model_version": "v0123456789abcdef",
        "user": {"id": "u0000001", "status": "known"},
        "items": [_ITEM] * 10,
        "requested": 10,
        "returned": 10,
        "warnings": [],
    },
    separators=(",", ":"),
).encode()


def with_constant(create_app: Any) -> Any:
    """An app factory; its app also answers with a body the size of a list of ten.

    CONSTANT: by a route of the framework's. DIRECT: as lists are answered (`api/direct.py`).
    """

    def create() -> FastAPI:
        app: FastAPI = create_app()

        @app.get(CONSTANT)
        async def constant() -> Response:
            return Response(_BODY, media_type="application/json")

        @app.get(DIRECT)
        async def direct(request: Request) -> Response:
            return Response(_BODY, media_type="application/json")

        ours = app.user_middleware[0].kwargs
        ours["direct"] = ours["direct"].and_those_of(app.routes)
        return app

    return create


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far, of all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


class Service:
    """A running service; `workers` are the ids of the processes that answer."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._log = log
        self.process = process
        self.port = int(self.wait_for(r"listening on http://[\d.]+:(\d+)")[0])

    @property
    def log(self) -> str:
        """Its log so far."""
        return self._log.read_text()

    def wait_for(self, pattern: str, *, count: int = 1) -> list[str]:
        """The group of `pattern` in `count` or more lines of the log. Raises RuntimeError if they do not come."""
        deadline = time.monotonic() + _PATIENCE
        while len(found := re.findall(pattern, self.log)) < count:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the service did not say {pattern!r}:\n{self.log}")
            time.sleep(0.02)
        return found

    def cpu_seconds(self) -> float:
        """Processor time so far, of all threads."""
        return cpu_seconds(self.process.pid)

    def status(self, field: str) -> int:
        """A number of /proc/PID/status, such as Threads, or VmRSS in KiB."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


@contextmanager
def service(store: Path, *options: str, core: int | None = 0) -> Iterator[Service]:
    """The service on `store`, on one core unless `core` is None, until the end of the block."""
    with TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        pin = [] if core is None else ["taskset", "-c", str(core)]
        command = [*pin, sys.executable, __file__, "--store", str(store), "--port", "0", *options]
        with log.open("wb") as sink, subprocess.Popen(command, stderr=sink) as process:
            try:
                yield Service(process, log)
            finally:
                process.terminate()


if __name__ == "__main__":
    api.app.create_app = with_constant(api.app.create_app)
    sys.exit(main())
