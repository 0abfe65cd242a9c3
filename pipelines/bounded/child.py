"""The child of a watching parent: how it is started, what it has told, what its processes use."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

from pipelines.bounded.reports import VARIABLE
from pipelines.bounded.usage import members, memory_of, seconds_of

_LONGEST_LINE = 1 << 16


class Child:
    """This program once more, with the same arguments and standard streams, in a process group of its own."""

    def __init__(self, *, temporary: str) -> None:
        """Start it. `temporary`: the folder for its temporary files."""
        self._pipe, write_end = os.pipe()
        environment = {**os.environ, VARIABLE: f"{write_end}:{os.getpid()}", "TMPDIR": temporary}
        self._process = subprocess.Popen(
            [sys.executable, *sys.orig_argv[1:]], env=environment, pass_fds=(write_end,), process_group=0
        )
        os.close(write_end)
        os.set_blocking(self._pipe, False)
        self._unread, self._is_open = b"", True
        self.told: dict[str, Any] = {}

    @property
    def pid(self) -> int:
        """Of the process, and of its group."""
        return self._process.pid

    def ended(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        return self._process.poll()

    def hear(self, seconds: float) -> bool:
        """Wait for what the child tells, up to `seconds`; whether it told anything. Returns at once if it ends."""
        if not self._is_open:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
            return False
        if not select.select([self._pipe], [], [], seconds)[0]:
            return False
        content = os.read(self._pipe, _LONGEST_LINE)
        self._is_open = bool(content)
        *lines, self._unread = (self._unread + content).split(b"\n")
        for line in lines:
            with suppress(ValueError):
                self.told |= json.loads(line)
        return bool(lines)

    def send(self, number: int) -> None:
        """A signal to all of the group; to end them, also to what left it, as Spark's Python workers do."""
        others = members(self.pid) if number == signal.SIGKILL else []
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)
        for process in others:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process, number)

    def end(self, *, grace: float) -> None:
        """Interrupt it, as Ctrl-C does, and kill the group after `grace` seconds."""
        if grace > 0:
            self.send(signal.SIGINT)
            self.send(signal.SIGCONT)  # if somebody stopped it
            deadline = time.monotonic() + grace
            while self.ended() is None and time.monotonic() < deadline:
                self.hear(0.05)
        self.send(signal.SIGKILL)
        self._process.wait()

    def memory(self) -> int:
        """Bytes that its processes hold."""
        return sum(memory_of(process) for process in members(self.pid))

    def own_memory(self) -> int:
        """Bytes that the process holds, without the others of its group."""
        return memory_of(self.pid)

    def processor_seconds(self) -> float:
        """Processor time that its processes have used."""
        return sum(seconds_of(process) for process in members(self.pid))
