"""The real service as processes of their own."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

PATIENCE = 30.0


class Server:
    """`python -m api` in a process of its own; what it logs goes to a file.

    `around`: a command that starts the one that is appended to it.
    """

    def __init__(
        self,
        log: Path,
        *options: str,
        environ: Mapping[str, str] = MappingProxyType({}),
        around: Sequence[str] = (),
    ) -> None:
        self._log = log
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("RECSYS_")}
        command = [*around, sys.executable, "-m", "api", "--port", "0", *options]
        with log.open("wb") as sink:
            self.process = subprocess.Popen(command, stderr=sink, env=inherited | environ, start_new_session=True)
        self.port = int(self.wait_for_line(r"listening on http://127\.0\.0\.1:(\d+)")[1])
        self.url = f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return self._log.read_text()

    def wait_for_line(self, pattern: str, count: int = 1) -> re.Match[str]:
        deadline = time.monotonic() + PATIENCE
        while len(found := list(re.finditer(pattern, self.log))) < count:
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.02)
        return found[0]

    def kill(self) -> None:
        """End all its processes at once, as a loss of power would."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)
