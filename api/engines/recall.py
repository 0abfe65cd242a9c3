"""Recall: how many items of the exact lists are on the lists that an approximate index gave, measured on a sample."""

import logging
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from random import random
from threading import Lock, get_native_id
from time import monotonic, thread_time

from api.metrics import Metrics, SearchKind
from recsys.engine import Answer

CORE_SHARE = 0.02
"""Checks take up to this share of a core: after each, none is made until it is met."""

NICENESS = 5
"""Of the thread that checks, above that of the process: the kernel gives it a third of the weight of the others."""

logger = logging.getLogger(__name__)


class RunningRecall:
    """Recall of one version's lists of one kind so far. One thread at a time may add, any may read."""

    def __init__(self, *, is_exact: bool) -> None:
        self.is_exact = is_exact
        """Whether the index compares every item, so that there is nothing to check."""
        self._counts = (0, 0)

    def add(self, *, found: int, wanted: int) -> None:
        """Count a checked list, which has `found` of the `wanted` items of the exact one."""
        self._counts = (self._counts[0] + found, self._counts[1] + wanted)

    @property
    def share(self) -> float | None:
        """Found items / wanted items; None until a list was checked."""
        found, wanted = self._counts
        if self.is_exact:
            return 1.0
        return found / wanted if wanted else None


@dataclass(frozen=True, eq=False)
class RecallCheck:
    """A list from an approximate index, and how to find it by exact search.

    `recall`: that of the version that gave it.
    """

    kind: SearchKind
    answer: Answer
    ask_exactly: Callable[[], Answer]
    recall: RunningRecall

    def run(self) -> tuple[int, int]:
        """How many items of the exact list are on this one, and how many there are; `recall` counts them too."""
        wanted = {item.item_id for item in self.ask_exactly().items}
        found = wanted.intersection(item.item_id for item in self.answer.items)
        self.recall.add(found=len(found), wanted=len(wanted))
        return len(found), len(wanted)


class RecallSampler:
    """Runs `share` of the checks it is offered, 0 to 1, in a thread of its own, and counts what they find.

    One at a time: a sampled check is skipped while another one runs, and until `core_share` is met. No failure here
    reaches the caller of `offer`, and nothing of a check outlives it: a version that was replaced stays in memory
    until the end of its last check, and no longer. Any number of threads may offer. `draw`: a number of 0 to 1 that
    decides whether a check is sampled; `clock` and `processor_time` of the calling thread: seconds.
    """

    def __init__(
        self,
        share: float,
        metrics: Metrics,
        *,
        core_share: float = CORE_SHARE,
        draw: Callable[[], float] = random,
        clock: Callable[[], float] = monotonic,
        processor_time: Callable[[], float] = thread_time,
    ) -> None:
        self._share = share
        self._metrics = metrics
        self._pause_per_second = 1 / core_share - 1
        self._draw = draw
        self._clock, self._processor_time = clock, processor_time
        self._thread = ThreadPoolExecutor(1, "recall", initializer=_lower_priority)
        if share > 0:  # starts the thread now: if that failed later, the check would stay in the queue
            self._thread.submit(_nothing)
        self._busy = Lock()
        self._paused_until = 0.0
        self._has_failed = False

    def offer(self, check: RecallCheck) -> None:
        """Run `check` soon, if it is sampled and no other runs; returns at once."""
        if self._draw() >= self._share:
            return
        if not self._begin():
            self._metrics.count_check(check.kind, "skipped")
            return
        try:
            self._thread.submit(self._run, check)
        except RuntimeError:  # the service is stopping
            self._busy.release()
            self._metrics.count_check(check.kind, "skipped")

    def close(self) -> None:
        """Wait for the check that runs; what is offered from now on is skipped."""
        self._thread.shutdown()

    def _begin(self) -> bool:
        if not self._busy.acquire(blocking=False):
            return False
        if self._clock() >= self._paused_until:
            return True
        self._busy.release()
        return False

    def _run(self, check: RecallCheck) -> None:
        checked = self._checked(check)
        if checked is None:
            self._metrics.count_check(check.kind, "failed")
        else:
            self._metrics.count_check(check.kind, "done", found=checked[0], wanted=checked[1])

    def _checked(self, check: RecallCheck) -> tuple[int, int] | None:
        """Items found and wanted, None if the check failed; then the pause begins."""
        started = self._processor_time()
        try:
            return check.run()
        except Exception:  # whatever it is, the list was given long ago
            if not self._has_failed:
                logger.exception("a list could not be checked by exact search; this is logged once")
            self._has_failed = True
            return None
        finally:
            taken = self._processor_time() - started
            self._paused_until = self._clock() + taken * self._pause_per_second
            self._busy.release()


def _lower_priority() -> None:
    """Let this thread have a third of what others have; other systems than Linux offer that for whole processes only.

    No less: it would hold Python's lock while other processes have the core, and every request would wait for it.
    """
    if sys.platform == "linux":
        with suppress(OSError):  # if that is forbidden, it runs like the others
            thread = get_native_id()
            os.setpriority(os.PRIO_PROCESS, thread, min(19, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS))


def _nothing() -> None:
    """Submitted once, to start the thread."""
