"""A sampled share of the lists that are given is found once more by exact search, and compared."""

import logging
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from random import random
from threading import Lock, get_native_id
from time import monotonic, thread_time

from api.metrics import Metrics
from api.recall import Given

SHARE_OF_A_CORE = 0.02
"""Checks take no more than this: after each there is none until the time it took is such a share of all time."""

logger = logging.getLogger(__name__)


class RecallWatch:
    """Checks `share` of the lists it is offered, 0 to 1, in a thread of its own, and counts what it finds.

    One at a time: a list whose turn it is while another one is checked, or soon after, is skipped. Nothing that goes
    wrong here reaches who offers a list, and nothing of a check outlives it: a version that was replaced stays in
    memory until the end of its last check, and no longer. Any number of threads may offer.
    """

    def __init__(self, share: float, metrics: Metrics) -> None:
        self._share = share
        self._metrics = metrics
        self._thread = ThreadPoolExecutor(1, "recall", initializer=_stand_back)
        if share > 0:  # the thread is there from now on: what fails to start one would stay in the queue
            self._thread.submit(_nothing)
        self._busy = Lock()
        self._rests_until = 0.0
        self._has_failed = False

    def offer(self, given: Given) -> None:
        """Check `given` soon, where it is its turn and nothing else's; returns at once."""
        if random() >= self._share:
            return
        if not self._begin():
            self._metrics.count_check(given.of, "skipped")
            return
        try:
            self._thread.submit(self._check, given)
        except RuntimeError:  # the service is stopping
            self._busy.release()
            self._metrics.count_check(given.of, "skipped")

    def close(self) -> None:
        """Wait for the check that runs; what is offered from now on is skipped."""
        self._thread.shutdown()

    def _begin(self) -> bool:
        if not self._busy.acquire(blocking=False):
            return False
        if monotonic() >= self._rests_until:
            return True
        self._busy.release()
        return False

    def _check(self, given: Given) -> None:
        checked = self._checked(given)
        if checked is None:
            self._metrics.count_check(given.of, "failed")
        else:
            self._metrics.count_check(given.of, "done", found=checked[0], wanted=checked[1])

    def _checked(self, given: Given) -> tuple[int, int] | None:
        """Items found and wanted, None where that failed; then the rest begins, and others have their turn."""
        started = thread_time()
        try:
            return given.check()
        except Exception:  # whatever it is, the list was given long ago
            if not self._has_failed:
                logger.exception("a list could not be checked by exact search; this is logged once")
            self._has_failed = True
            return None
        finally:
            taken = thread_time() - started
            self._rests_until = monotonic() + taken * (1 / SHARE_OF_A_CORE - 1)
            self._busy.release()


def _stand_back() -> None:
    """This thread runs when no other wants to; elsewhere than on Linux only whole processes can."""
    if sys.platform == "linux":
        with suppress(OSError):  # where that is forbidden, it runs as others do
            os.setpriority(os.PRIO_PROCESS, get_native_id(), 19)


def _nothing() -> None:
    """Done once, to have the thread."""
