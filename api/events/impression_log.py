"""ImpressionLog: the lists that were given, written behind the replies."""

import logging
import random
from collections import deque
from collections.abc import Callable
from threading import Condition, Thread
from time import time

from api.metrics import Metrics
from recsys.errors import RecsysError
from recsys.event_store.database import Database
from recsys.event_store.impressions import DAY, Impression, Impressions
from recsys.forgotten import NOBODY, Forgotten

MOST_WAITING = 20_000
"""Lists that wait to be written; what comes then is dropped and counted."""

MOST_TOGETHER = 2_000
"""Lists of one commit."""

WRITE_SECONDS = 1.0
"""Time between two commits, unless so many lists wait."""

RETRY_SECONDS = 5.0
"""Time after which a commit that failed is tried again."""

logger = logging.getLogger(__name__)


class ImpressionLog:
    """Keeps a `share` of the lists in `database`, in a thread; giving a list never waits for it.

    While the database cannot be written, lists wait up to MOST_WAITING, and the others are dropped and counted.
    Lists that are older than `days` are deleted. `seconds`: see WRITE_SECONDS and RETRY_SECONDS. `forgotten`: see
    `Impressions`.
    """

    def __init__(
        self,
        database: Database,
        metrics: Metrics,
        *,
        share: float,
        days: int,
        chance: Callable[[], float] = random.random,
        seconds: tuple[float, float] = (WRITE_SECONDS, RETRY_SECONDS),
        forgotten: Callable[[], Forgotten] = lambda: NOBODY,
    ) -> None:
        self._impressions = Impressions(database, forgotten=forgotten)
        self._metrics, self._share, self._days, self._chance = metrics, share, days, chance
        self._write_seconds, self._retry_seconds = seconds
        self._forgotten = 0
        self._waiting: deque[Impression] = deque()
        self._changed = Condition()
        self._thread: Thread | None = None
        self._closed = False
        self._last_failure = ""

    def offer(self, impression: Impression) -> None:
        """Keep this list if it is sampled and there is room."""
        if self._share < 1 and self._chance() >= self._share:
            return
        if len(self._waiting) >= MOST_WAITING:
            self._metrics.count_impressions("dropped", 1)
            return
        self._waiting.append(impression)
        if self._thread is None:
            self._start()

    def close(self) -> None:
        """Write what waits, once, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(2 * RETRY_SECONDS)
        if self._waiting:
            self._metrics.count_impressions("dropped", len(self._waiting))
            logger.error("impressions: %d lists were not written before the end", len(self._waiting))

    def _start(self) -> None:
        self._thread = Thread(target=self._run, name="impressions", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        wait = self._write_seconds
        while not self._closed:
            with self._changed:
                self._changed.wait_for(lambda: self._closed, timeout=wait)
            wait = self._write_seconds if self._write_all() and self._forget() else self._retry_seconds

    def _write_all(self) -> bool:
        while self._waiting:
            together = [self._waiting[at] for at in range(min(MOST_TOGETHER, len(self._waiting)))]
            try:
                self._impressions.add(together)
            except RecsysError as error:
                self._note(str(error))
                return False
            except Exception:  # a fault of ours must neither end the thread nor stand in the way of other lists
                logger.exception("impressions: %d lists cannot be written, and are dropped", len(together))
                self._metrics.count_impressions("dropped", len(together))
            else:
                self._metrics.count_impressions("written", len(together))
            for _ in together:  # they were among those that wait until now, so that no others took their room
                self._waiting.popleft()
        self._last_failure = ""
        return True

    def _forget(self) -> bool:
        """Once a day, and at the start."""
        today = int(time() // DAY)
        if self._forgotten == today:
            return True
        try:
            self._impressions.forget(today - self._days)
        except RecsysError as error:
            self._note(str(error))
            return False
        self._forgotten = today
        return True

    def _note(self, failure: str) -> None:
        if not self._last_failure:
            logger.error("impressions: %s; lists go on, and are kept up to %d", failure, MOST_WAITING)
        self._last_failure = failure
