"""The parent: starts the job as a child, forwards signals to it, keeps it within its limits, and says how it ended.

Memory is watched rather than bounded by RLIMIT_AS, which counts addresses: stacks of threads, mapped files and what
allocators reserve, several GiB for a job that holds 200 MiB, and which native libraries answer with an abort.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from pipelines.bounded.child import Child
from pipelines.bounded.endings import Ending, is_abnormal, tell_ending
from pipelines.bounded.limits import Limits
from pipelines.bounded.stall import Stall
from pipelines.bounded.temporary import temporary_folder

_TICK_SECONDS = 0.1
_OTHERS_EVERY = 10
"""Ticks between two looks at the whole group; each looks at the process itself."""

GRACE_SECONDS = 10.0
"""What a job has to end by itself, as after Ctrl-C, once its time is over."""


class Watch:
    """One child, from its start to its end."""

    def __init__(self, temporary: str, *, grace: float) -> None:
        """`temporary`: the folder for the child's temporary files. `grace`: seconds to end after an interrupt."""
        self._started, self._stopped = time.monotonic(), 0.0
        self._usual = self._limits = Limits.usual()
        self._grace = grace
        self._child = Child(temporary=temporary)
        self._stall = Stall()
        self._others, self._ticks = 0, 0
        self.forwarded: int | None = None

    def until_the_end(self) -> Ending:
        """Wait for the child's end, and end it if it leaves its limits."""
        with _handled((signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGTSTP), self._forward):
            breach = self._breach_or_end()
            if breach is not None:
                self._child.end(grace=0.0 if breach.startswith("memory") else self._grace)
        code = self._child.ended()
        ending = Ending(code or 0, self._child.told, breach, self.forwarded)
        if is_abnormal(ending):
            self._child.send(signal.SIGKILL)  # what it started
        return ending

    def _breach_or_end(self) -> str | None:
        """What is wrong once a limit is left; None once the child has ended."""
        while self._child.ended() is None:
            if self._child.hear(_TICK_SECONDS):
                self._stall.progress()
                self._limits = self._usual.changed(self._child.told.get("limits", {}))
            if (breach := self._breach()) is not None:
                return breach
        while self._child.hear(0.0):
            pass
        return None

    def _breach(self) -> str | None:
        self._ticks += 1
        own = self._child.own_memory()
        if self._ticks % _OTHERS_EVERY == 0:
            self._others = max(0, self._child.memory() - own)
            if self._stall.lasts(self._child.processor_seconds()) > self._limits.stall:
                return f"no progress for {self._limits.stall:,.0f} s (resources.stall)"
        if own + self._others > self._limits.memory:
            return (
                f"memory: {_gib(own + self._others)} held, {_gib(self._limits.memory)} allowed (resources.memory_gib)"
            )
        if time.monotonic() - self._started - self._stopped > self._limits.seconds:
            return f"it took longer than {self._limits.seconds:,.0f} s (resources.time)"
        return None

    def _forward(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGTSTP:
            self._stop()
        else:
            self.forwarded = number
            self._child.send(number)

    def _stop(self) -> None:
        """Ctrl-Z: the child stops first, and goes on after this process does."""
        since = time.monotonic()
        self._child.send(signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)
        self._child.send(signal.SIGCONT)
        self._stopped += time.monotonic() - since
        self._stall.progress()


def _gib(size: float) -> str:
    return f"{size / 2**30:,.2f} GiB"


@contextmanager
def _handled(numbers: tuple[int, ...], handler: object) -> Iterator[None]:
    """`handler` for those of the signals that are not ignored, as a shell does for jobs in the background."""
    before = {number: signal.getsignal(number) for number in numbers}
    chosen = [number for number in numbers if before[number] is not signal.SIG_IGN]
    for number in chosen:
        signal.signal(number, handler)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for number in chosen:
            signal.signal(number, before[number])


def watch(*, grace: float = GRACE_SECONDS) -> int:
    """Run this program as a child; the exit code to end with. Does not return if the child hands over.

    `grace`: seconds that a child has to end by itself after its time is over.
    """
    with temporary_folder() as folder:
        ending = Watch(folder, grace=grace).until_the_end()
    return tell_ending(ending)
