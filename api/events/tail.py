"""EventTail: follows the event store, so that what a user did is in the next list of every worker."""

import logging
from collections.abc import Callable, Iterable, Iterator
from threading import Event, Lock, Thread

from api.engines.served_engine import ServedEngine
from recsys.engine.event_rules import EventRules
from recsys.engine.fresh_events import MAX_FRESH, FreshEvents
from recsys.errors import RecsysError
from recsys.event_store.events import Events, KeptEvent, Position, is_void
from recsys.forgotten import NOBODY, Forgotten

POLL_SECONDS = 0.04
"""Time between two looks at the store."""

RETRY_SECONDS = 1.0
"""The same while it cannot be read."""

_ROWS = 10_000

logger = logging.getLogger(__name__)


class EventTail:
    """Keeps `fresh`: the events since the newest one of the version that serves.

    What came of somebody up to when `forgotten` says so is left out. A fault of the store leaves what was read
    before; it is logged once.
    """

    def __init__(self, events: Events, *, forgotten: Callable[[], Forgotten] = lambda: NOBODY) -> None:
        self._forgotten = forgotten
        self.fresh = FreshEvents()
        self._events = events
        self._at: Position | None = None
        self._after = 0.0
        self._rules = EventRules()
        self._n_lost = 0
        self._lock = Lock()
        self._look = Event()
        self._closed = False
        self._thread: Thread | None = None
        self._last_failure = ""

    def start(self, engine_now: Callable[[], ServedEngine | None]) -> None:
        """Follow the store from now on, in a thread."""
        self._thread = Thread(target=self._run, args=(engine_now,), name="event-tail", daemon=True)
        self._thread.start()

    def look(self) -> None:
        """Look now, as something has just been written."""
        self._look.set()

    def read_anew(self) -> None:
        """Read all of it again, as somebody was forgotten."""
        with self._lock:
            self._at = None
        self._look.set()

    def close(self) -> None:
        """End the thread."""
        self._closed = True
        self._look.set()
        if self._thread is not None:
            self._thread.join(RETRY_SECONDS)

    def prepare(self, engine: ServedEngine) -> None:
        """Read what `engine` needs, before it serves, if that is not known already."""
        if self._at is None or engine.fresh_after < self._after:
            self.refresh(engine)

    def refresh(self, engine: ServedEngine | None) -> bool:
        """Read what came since the last look; whether the store could be read."""
        with self._lock:
            try:
                if engine is not None:
                    self._catch_up(engine)
                self._last_failure = ""
            except RecsysError as error:
                self._note(str(error))
            except Exception as error:  # whatever is in the store, the thread goes on
                self._note(f"cannot be read: {type(error).__name__}: {error}")
        return not self._last_failure

    def _run(self, engine_now: Callable[[], ServedEngine | None]) -> None:
        while not self._closed:
            self._look.wait(POLL_SECONDS if self.refresh(engine_now()) else RETRY_SECONDS)
            self._look.clear()

    def _catch_up(self, engine: ServedEngine) -> None:
        if self._at is None or engine.fresh_after < self._after or engine.event_rules != self._rules:
            self._read_anew(engine)
        elif engine.fresh_after > self._after:
            self._after = engine.fresh_after
            self.fresh.drop_before(self._after)
        whole = False
        while not whole and self._at is not None:
            news = self._events.after(self._at, limit=_ROWS)
            if news.position.event < self._at.event or self._events.n_lost != self._n_lost:  # another one, perhaps
                self._read_anew(engine)
                return
            new = (it for it in self._counted(news.events) if it.timestamp >= self._after)
            self.fresh.add(new, news.merges, self._rules)
            self._at, whole = news.position, news.whole

    def _read_anew(self, engine: ServedEngine) -> None:
        self._n_lost = self._events.n_lost
        news = self._events.newer_than(engine.fresh_after, limit=MAX_FRESH)
        fresh = FreshEvents()
        fresh.add(self._counted(news.events), (), engine.event_rules)
        self.fresh, self._at = fresh, news.position
        self._after, self._rules = engine.fresh_after, engine.event_rules

    def _counted(self, events: Iterable[KeptEvent]) -> Iterator[KeptEvent]:
        forgotten = self._forgotten()
        return (it for it in events if not forgotten or not is_void(it, forgotten))

    def _note(self, failure: str) -> None:
        if not self._last_failure:
            logger.error("events: %s; lists go on with what is known", failure)
        self._last_failure = failure
