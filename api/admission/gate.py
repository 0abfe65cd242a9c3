"""Gates: how much work of one kind may be under way at once."""

from collections.abc import Callable
from time import monotonic

from api.admission.traffic import Refusal

POINTS_OF_LIST = 60
"""Points (`api/cost.py`) of an ordinary list."""

TARGET_SECONDS = 0.04
"""Mean time that an admitted request may take. With all that is let in at once waiting for one processor, the last
takes little more than the mean."""

_FLOOR, _MOST = 32.0 * POINTS_OF_LIST, 1_000.0 * POINTS_OF_LIST
_WINDOW_SECONDS, _WINDOW_REQUESTS = 0.1, 10
_LEAST_STEP, _GREATEST_STEP = 0.5, 1.25
_NEARLY_FULL = 0.9
_USUAL_AT_MOST = 4.0 * POINTS_OF_LIST


class Gate:
    """A gate with a fixed limit. An empty one lets anything in."""

    def __init__(self, reason: Refusal, limit: float, *, usual: float = 1.0) -> None:
        self.reason: Refusal = reason
        self.limit, self._usual = limit, usual
        self.in_use, self._reserved = 0.0, 0.0
        self.n_done = 0

    @property
    def is_full(self) -> bool:
        """Whether there is no room for one more of the usual size."""
        taken = self.in_use + self._reserved
        return taken > 0 and taken + self._usual > self.limit

    def has_only(self, amount: float) -> bool:
        """Whether nothing is under way, nor has just arrived, but a request of `amount`."""
        return self.in_use <= amount and self._reserved <= self._usual

    def reserve(self) -> None:
        """Keep room for one that will enter in the next turn of the event loop."""
        self._reserved += self._usual

    def release(self) -> None:
        """It has entered, or will not."""
        self._reserved -= self._usual

    def enter(self, amount: float) -> bool:
        """Let `amount` in, if there is room for it."""
        if self.in_use and self.in_use + amount > self.limit:
            return False
        self.in_use += amount
        return True

    def correct(self, amount: float) -> None:
        """What was let in turns out to be `amount` more, or less if it is below zero."""
        self.in_use += amount

    def leave(self, amount: float, seconds: float) -> None:
        """What was let in is done, after `seconds`."""
        self.in_use -= amount
        self.n_done += 1


class AdaptiveGate(Gate):
    """A gate whose limit follows the time that requests take, so that its queue takes `target` seconds.

    Requests wait for each other, so their mean time is proportional to what is let in (Little's law: work under way =
    rate x time). After each tenth of a second the limit is multiplied by target / mean time: at once if that is below
    one, and if the gate was nearly full if it is above. It stays between 32 and 1,000 lists; the lower bound keeps
    batches worth while where one list alone takes longer than the target.
    """

    def __init__(
        self, reason: Refusal, *, target: float = TARGET_SECONDS, clock: Callable[[], float] = monotonic
    ) -> None:
        super().__init__(reason, _FLOOR, usual=POINTS_OF_LIST)
        self._target, self._clock = target, clock
        self._begin_window()

    def _begin_window(self) -> None:
        self._n, self._seconds, self._peak = 0, 0.0, self.in_use
        self._window_end = self._clock() + _WINDOW_SECONDS

    def enter(self, amount: float) -> bool:
        """Let `amount` in, if there is room for it."""
        if not super().enter(amount):
            self._peak = self.limit
            return False
        self._peak = max(self._peak, self.in_use)
        return True

    def leave(self, amount: float, seconds: float) -> None:
        """What was let in is done, after `seconds`."""
        super().leave(amount, seconds)
        if amount > _USUAL_AT_MOST:  # it takes longer by itself, not because others wait
            return
        self._n += 1
        self._seconds += seconds
        if self._n >= _WINDOW_REQUESTS and self._clock() >= self._window_end:
            self._adjust(self._target / max(self._seconds / self._n, 1e-6))
            self._begin_window()

    def _adjust(self, ratio: float) -> None:
        if ratio < 1:
            self.limit = max(_FLOOR, self.limit * max(ratio, _LEAST_STEP))
        elif self._peak >= _NEARLY_FULL * self.limit:
            self.limit = min(_MOST, self.limit * min(ratio, _GREATEST_STEP))
