"""How long a job has neither told of progress nor used the processor."""

import time
from collections.abc import Callable

_IDLE_SHARE, _IDLE_SECONDS = 0.01, 0.2
"""A job that only looks whether something has happened uses less than this share of a processor."""


class Stall:
    """The time since the last sign of work."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: seconds."""
        self._clock = clock
        self._since, self._used_then, self._used = clock(), 0.0, 0.0

    def progress(self) -> None:
        """There was a sign of work."""
        self._since, self._used_then = self._clock(), self._used

    def lasts(self, used: float) -> float:
        """Seconds since the last sign of work. `used`: processor seconds so far."""
        self._used = used
        lasted = self._clock() - self._since
        if used - self._used_then > _IDLE_SHARE * lasted + _IDLE_SECONDS:
            self.progress()
            return 0.0
        return lasted
