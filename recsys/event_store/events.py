"""Events: what users and visitors did, durable and each counted once."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from recsys.event_store.database import Database, Row, Transaction
from recsys.event_store.merges import MERGES
from recsys.event_store.schema import Schema
from recsys.forgotten import NOBODY, Forgotten

EVENTS = Schema(
    "events",
    (
        (
            "CREATE TABLE events (seq {sequence}, event_id TEXT UNIQUE, user_id TEXT, session_id TEXT,"
            " item_id TEXT NOT NULL, event TEXT, value DOUBLE PRECISION NOT NULL,"
            " timestamp DOUBLE PRECISION NOT NULL, received_at DOUBLE PRECISION NOT NULL,"
            " recommendation_id TEXT, place BIGINT)",
            "CREATE INDEX events_by_user ON events (user_id, seq) WHERE user_id IS NOT NULL",
            "CREATE INDEX events_by_session ON events (session_id, seq) WHERE session_id IS NOT NULL",
        ),
        ("CREATE INDEX events_by_time ON events (timestamp, seq)",),
    ),
)


class NewEvent(NamedTuple):
    """One event to be kept, in the order of the columns.

    `event_id`: an event with the id of a kept one is that event again; None if it has none. `user_id`, `session_id`:
    at least one of them. `event`: its kind. `timestamp`, `received_at`: UTC seconds. `place`: in the list, from 1.
    """

    event_id: str | None
    user_id: str | None
    session_id: str | None
    item_id: str
    event: str | None
    value: float
    timestamp: float
    received_at: float
    recommendation_id: str | None = None
    place: int | None = None


def is_void(event: "NewEvent | KeptEvent", forgotten: Forgotten) -> bool:
    """Whether an event is of somebody who was forgotten since it happened, or since it came."""
    until = max(forgotten.at(event.user_id), forgotten.at(event.session_id, "session"))
    return min(event.timestamp, event.received_at) <= until


class KeptEvent(NamedTuple):
    """One event as it is kept. `seq`: grows in the order in which events were kept."""

    seq: int
    event_id: str | None
    user_id: str | None
    session_id: str | None
    item_id: str
    event: str | None
    value: float
    timestamp: float
    received_at: float
    recommendation_id: str | None
    place: int | None


class Merge(NamedTuple):
    """A session that belongs to a user. `seq`: grows in the order of the merges."""

    seq: int
    session_id: str
    user_id: str


@dataclass(frozen=True)
class Position:
    """How far a store was read: the last event, and the last merge; 0 before the first."""

    event: int = 0
    merge: int = 0


@dataclass(frozen=True)
class News:
    """What came after a position: merges, then events, in their order; events of merged sessions are the user's.

    `position`: from which to read on. `whole`: False if there is more to read from there.
    """

    events: tuple[KeptEvent, ...]
    merges: tuple[Merge, ...]
    position: Position
    whole: bool = True


_COLUMNS = ", ".join(NewEvent._fields)
_INSERT, _ONCE = f"INSERT INTO events ({_COLUMNS})", "ON CONFLICT (event_id) DO NOTHING"
_OF_EVENT = ", ".join(f"e.{name}" for name in KeptEvent._fields)
_AS_OWNED = _OF_EVENT.replace("e.user_id", "COALESCE(e.user_id, m.user_id)")
_OWNED = f"SELECT {_AS_OWNED} FROM events e LEFT JOIN merges m ON m.session_id = e.session_id"
_LATEST = "WHERE e.timestamp >= ? ORDER BY e.timestamp DESC, e.seq DESC LIMIT ?"
_LAST = "SELECT (SELECT MAX(seq) FROM events), (SELECT MAX(seq) FROM merges)"
_PAGE = f"SELECT {_OF_EVENT} FROM events e WHERE e.seq < ? AND"
_OF_USER = (
    f"SELECT * FROM (SELECT * FROM ({_PAGE} e.user_id = ? ORDER BY e.seq DESC LIMIT ?) own"
    f" UNION ALL SELECT * FROM ({_PAGE} e.user_id IS NULL AND e.session_id IN"
    " (SELECT session_id FROM merges WHERE user_id = ?) ORDER BY e.seq DESC LIMIT ?) merged) both_"
    " ORDER BY seq DESC LIMIT ?"
)
_OF_SESSION = f"{_PAGE} e.session_id = ? ORDER BY e.seq DESC LIMIT ?"
_PEOPLE = (
    "SELECT e.item_id,"
    " COUNT(DISTINCT COALESCE('u:' || COALESCE(e.user_id, m.user_id), 's:' || e.session_id)) AS people"
    " FROM events e LEFT JOIN merges m ON m.session_id = e.session_id WHERE e.seq > ? AND e.timestamp >= ?{}"
    " GROUP BY e.item_id ORDER BY people DESC, e.item_id LIMIT ?"
)
_FIRST_PAGE = (1 << 62) + 1


class Events:
    """The events of one store. Any number of threads and processes may use it.

    `forgotten`: asked within each transaction, so that nothing of before a tombstone is kept after what it forgets
    was deleted.
    """

    def __init__(self, database: Database, *, forgotten: Callable[[], Forgotten] = lambda: NOBODY) -> None:
        self._database = database
        self._forgotten = forgotten
        database.require(EVENTS, MERGES)

    @property
    def shown(self) -> str:
        """The database in messages."""
        return self._database.shown

    @property
    def n_lost(self) -> int:
        """See `Database.n_lost`: a position of before then may be one of another database."""
        return self._database.n_lost

    def add(self, groups: Sequence[Sequence[NewEvent]]) -> list[int]:
        """Keep events; of each group, how many were not there before. All are durable when it returns, or none is.

        Raises EventStoreError.
        """
        with self._database.transaction() as statements:
            counted = groups
            if forgotten := self._forgotten():
                counted = [[event for event in group if not is_void(event, forgotten)] for group in groups]
            return [statements.insert(_INSERT, group, conflict=_ONCE) for group in counted]

    def of_user(self, user_id: str, *, limit: int, before: int | None = None) -> list[KeptEvent]:
        """A user's events, those of merged sessions among them, the latest kept first; `before`: a `seq`."""
        seq = _FIRST_PAGE if before is None else before
        return self._fetch(_OF_USER, (seq, user_id, limit, seq, user_id, limit, limit))

    def of_session(self, session_id: str, *, limit: int, before: int | None = None) -> list[KeptEvent]:
        """A session's events, the latest kept first; `before`: a `seq`."""
        return self._fetch(_OF_SESSION, (_FIRST_PAGE if before is None else before, session_id, limit))

    def last(self) -> Position:
        """The position of the last event and the last merge."""
        with self._database.read() as queries:
            return _last(queries)

    def after(self, position: Position, *, limit: int) -> News:
        """What came after `position`, up to `limit` events. Its position goes back if the store was put back."""
        with self._database.read() as queries:
            last = _last(queries)
            if last == position:
                return News((), (), position)
            merges = _merges(queries, position.merge)
            found = queries.fetch(f"{_OWNED} WHERE e.seq > ? ORDER BY e.seq LIMIT ?", (position.event, limit))
        events = tuple(map(KeptEvent._make, found))
        whole = len(events) < limit
        end = events[-1].seq if not whole else last.event
        return News(events, merges, Position(end, last.merge), whole)

    def newer_than(self, timestamp: float, *, limit: int) -> News:
        """The events from `timestamp` on, UTC seconds, the latest `limit` of them, in the order they were kept in."""
        with self._database.read() as queries:
            last = _last(queries)
            found = queries.fetch(f"{_OWNED} {_LATEST}", (timestamp, limit))
        events = sorted(map(KeptEvent._make, found), key=lambda event: event.seq)
        return News(tuple(events), (), last, whole=len(found) < limit)

    def people_by_item(
        self, *, since: float, ignored: Sequence[str], most_events: int, most_items: int
    ) -> dict[str, int]:
        """How many users and sessions did something with each item, most first.

        Of the latest `most_events` events, those from `since` on, UTC seconds, of other kinds than `ignored`. A
        session that was merged is its user. Raises EventStoreError.
        """
        with self._database.read() as queries:
            first = _last(queries).event - most_events
            found = queries.fetch(_PEOPLE.format(_not_of(ignored)), (first, since, *ignored, most_items))
        return {str(item_id): int(people) for item_id, people in found}

    def stream(self, until: Position, *, rows: int) -> Iterator[list[Row]]:
        """All events up to a position in their order: user_id (of merged sessions too, else None), item_id, event,
        value, timestamp, in lists of up to `rows`."""
        columns = "e.seq, COALESCE(e.user_id, m.user_id), e.item_id, e.event, e.value, e.timestamp"
        sql = (
            f"SELECT {columns} FROM events e LEFT JOIN merges m ON m.session_id = e.session_id AND m.seq <= ?"
            " WHERE e.seq > ? AND e.seq <= ? ORDER BY e.seq LIMIT ?"
        )
        at = 0
        while True:
            with self._database.read() as queries:
                found = queries.fetch(sql, (until.merge, at, until.event, rows))
            if not found:
                return
            at = found[-1][0]
            yield found

    def _fetch(self, sql: str, parameters: Sequence[object]) -> list[KeptEvent]:
        with self._database.read() as queries:
            return list(map(KeptEvent._make, queries.fetch(sql, parameters)))


def _not_of(kinds: Sequence[str]) -> str:
    return f" AND (e.event IS NULL OR e.event NOT IN ({', '.join('?' * len(kinds))}))" if kinds else ""


def _last(queries: Transaction) -> Position:
    ((event, merge),) = queries.fetch(_LAST)
    return Position(event or 0, merge or 0)


def _merges(queries: Transaction, after: int) -> tuple[Merge, ...]:
    found = queries.fetch("SELECT seq, session_id, user_id FROM merges WHERE seq > ? ORDER BY seq", (after,))
    return tuple(map(Merge._make, found))
