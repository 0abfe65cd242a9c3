"""StoreEvents: what one store of the service does with events: takes them in, folds them in, shows them."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from api.engines.served_engine import ServedEngine
from api.events.intake import Intake
from api.events.recent_popularity import RecentPopularity
from api.events.store_calls import StoreCalls
from api.events.tail import EventTail
from api.events.writer import EventWriter
from api.metrics import Metrics
from recsys.engine import Event, Question
from recsys.engine.question import MAX_EVENTS
from recsys.event_store.database import Database
from recsys.event_store.events import Events, KeptEvent
from recsys.event_store.merges import Merges
from recsys.forgotten import NOBODY, Forgotten, Tombstones


class StoreEvents:
    """The events of one store, in `database`. Nothing is connected to before the first request or look."""

    def __init__(self, database: Database, metrics: Metrics, *, tombstones: Tombstones | None = None) -> None:
        """`tombstones`: of the store; they are read anew for each commit, and otherwise as of their last look."""
        self._tombstones = tombstones
        self._events = Events(database, forgotten=(lambda: NOBODY) if tombstones is None else tombstones.latest)
        self._merges = Merges(database)
        self._metrics = metrics
        self._tail = EventTail(self._events, forgotten=self._forgotten)
        self._reads, self._writes = StoreCalls(database.shown), StoreCalls(database.shown)
        self._popularity = RecentPopularity(self._events, self._reads)
        self._writer = EventWriter(self._events, after_commit=self._committed)

    async def add(self, intake: Intake) -> int:
        """Keep the accepted events; how many were not there before. Raises EventStoreError.

        They are durable when it returns, and count in lists a few milliseconds later.
        """
        added = await self._writer.add(intake.accepted) if intake.accepted else 0
        self._metrics.count_events(
            accepted=added,
            duplicates=len(intake.accepted) - added,
            unknown_items=intake.n_unknown_items,
            refused=[refused.code for refused in intake.refused],
        )
        return added

    async def merge(self, session_id: str, user_id: str) -> str:
        """Let a session be of a user; whose it is. Raises EventStoreError."""
        owner = await self._writes.make(self._merges.merge, session_id, user_id)
        self._tail.look()
        return owner

    async def of_user(self, user_id: str, *, limit: int, before: int | None) -> list[KeptEvent]:
        """See `Events.of_user`; in a thread."""
        return await self._reads.make(self._events.of_user, user_id, limit=limit, before=before)

    async def of_session(self, session_id: str, *, limit: int, before: int | None) -> list[KeptEvent]:
        """See `Events.of_session`; in a thread."""
        return await self._reads.make(self._events.of_session, session_id, limit=limit, before=before)

    async def people_lately(self, engine: ServedEngine) -> Mapping[str, int]:
        """How many people did something with each item of late, by kinds of event that the version counts."""
        return await self._popularity.people(engine.event_rules.ignored)

    def fresh(self, user_id: str | None, session_id: str | None, engine: ServedEngine) -> tuple[Event, ...]:
        """The events of a user, of a session or of both, of which the version of `engine` does not know."""
        forgotten = self._forgotten()
        until = max(forgotten.at(user_id), forgotten.at(session_id, "session"))
        after = engine.fresh_after if until < engine.fresh_after else math.nextafter(until, math.inf)
        return self._tail.fresh.of(user_id, session_id, after=after, rules=engine.event_rules)

    def _forgotten(self) -> Forgotten:
        return NOBODY if self._tombstones is None else self._tombstones.now

    def forget(self) -> None:
        """Read anew what users did lately, because some of them were forgotten."""
        self._tail.read_anew()

    def prepare(self, engine: ServedEngine) -> None:
        """Read the events that `engine` needs before it serves, if that is possible."""
        self._tail.prepare(engine)

    def start(self, engine_now: Callable[[], ServedEngine | None]) -> None:
        """Follow what other workers keep."""
        self._tail.start(engine_now)

    def close(self) -> None:
        """Write what waits, and end the threads."""
        self._writer.close()
        self._tail.close()
        self._reads.close()
        self._writes.close()

    def _committed(self, seconds: float) -> None:
        self._metrics.observe_commit(seconds)
        self._tail.look()


def with_fresh(
    question: Question, session_id: str | None, events: StoreEvents | None, engine: ServedEngine
) -> tuple[Question, int]:
    """`question` with what its user and session did since the version's log ends, and how many events that is."""
    fresh = () if events is None else events.fresh(question.user_id, session_id, engine)
    if not fresh:
        return question, 0
    fresh = fresh[-max(0, MAX_EVENTS - len(question.events)) :] if len(question.events) < MAX_EVENTS else ()
    return replace(question, events=(*fresh, *question.events)), len(fresh)
