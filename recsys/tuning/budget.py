"""When a search ends before its trials are done: at its time, or at a person's wish."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType


@dataclass
class Budget:
    """`seconds` from now, None for no limit; `interrupted` once Ctrl-C was pressed."""

    seconds: float | None
    interrupted: bool = False
    _started: float = field(default_factory=time.monotonic)

    @property
    def used(self) -> float:
        """Seconds since it was made."""
        return time.monotonic() - self._started

    def spent(self, share: float = 1.0) -> bool:
        """Whether it is time to stop; `share` of the seconds is for what asks."""
        return self.interrupted or (self.seconds is not None and self.used >= share * self.seconds)

    @contextmanager
    def interruptible(self, notice: Callable[[], None]) -> Iterator[None]:
        """Ctrl-C once sets `interrupted` and calls `notice`; twice, it stops at once, as ever."""
        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread hears of it
            return
        before = signal.getsignal(signal.SIGINT)

        def heard(number: int, frame: FrameType | None) -> None:
            self.interrupted = True
            signal.signal(signal.SIGINT, before)
            notice()

        signal.signal(signal.SIGINT, heard)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
