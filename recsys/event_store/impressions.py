"""Impressions: the lists that were given, to be joined with the events that they led to."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from recsys.event_store.database import Database
from recsys.event_store.schema import Schema
from recsys.forgotten import NEVER, NOBODY, Forgotten

IMPRESSIONS = Schema(
    "impressions",
    (
        (
            "CREATE TABLE impressions (seq {sequence}, recommendation_id TEXT NOT NULL UNIQUE,"
            " given_at DOUBLE PRECISION NOT NULL, day BIGINT NOT NULL, user_id TEXT, session_id TEXT,"
            " version TEXT NOT NULL, arm TEXT, experiment TEXT, kind TEXT NOT NULL, status TEXT,"
            " n_items BIGINT NOT NULL, items TEXT NOT NULL)",
            "CREATE INDEX impressions_by_day ON impressions (day, seq)",
        ),
    ),
)

MOST_ITEMS = 100
"""Items of one list that are kept, from its first place on."""

DAY = 86_400
"""Seconds."""


class Impression(NamedTuple):
    """One list that was given.

    `given_at`: UTC seconds. `arm`, `experiment`: those of a running experiment, and its salt, else None.
    `status`: of the user, None if the list is not for one. `items`: their ids, the first place first.
    """

    recommendation_id: str
    given_at: float
    user_id: str | None
    session_id: str | None
    version: str
    arm: str | None
    experiment: str | None
    kind: str
    status: str | None
    items: Sequence[str]


class ListedItems(NamedTuple):
    """The items of one list. `day`: days since 1970-01-01, UTC."""

    day: int
    version: str
    arm: str | None
    items: list[str]


_COLUMNS = (
    "recommendation_id, given_at, day, user_id, session_id, version, arm, experiment, kind, status, n_items, items"
)
_INSERT, _ONCE = f"INSERT INTO impressions ({_COLUMNS})", "ON CONFLICT (recommendation_id) DO NOTHING"


class Impressions:
    """The impressions of one store. Any number of threads and processes may use it.

    `forgotten`: asked within each transaction; a list for somebody who was forgotten is kept without the ids.
    """

    def __init__(self, database: Database, *, forgotten: Callable[[], Forgotten] = lambda: NOBODY) -> None:
        self._database = database
        self._forgotten = forgotten
        database.require(IMPRESSIONS)

    @property
    def shown(self) -> str:
        """The database in messages."""
        return self._database.shown

    def add(self, impressions: Sequence[Impression]) -> int:
        """Keep them, all or none; the same list twice is kept once. How many are new. Raises EventStoreError."""
        with self._database.transaction() as statements:
            rows = [_row(given, self._forgotten()) for given in impressions]
            return statements.insert(_INSERT, rows, conflict=_ONCE)

    def stream(self, first_day: int, end_day: int, *, rows: int = 10_000) -> Iterator[ListedItems]:
        """What was listed from `first_day` to before `end_day`, days since 1970, read `rows` lists at a time."""
        at = (first_day, 0)
        while True:
            with self._database.read() as queries:
                found = queries.fetch(_PAGE, (*at[:1], *at, end_day, rows))
            for day, _, version, arm, items in found:
                yield ListedItems(int(day), version, arm, json.loads(items))
            if len(found) < rows:
                return
            at = (int(found[-1][0]), int(found[-1][1]))

    def forget(self, before_day: int, *, rows: int = 5_000) -> int:
        """Delete what was given before a day (since 1970); how many lists. Raises EventStoreError.

        In transactions of `rows` lists, so that writers of events wait for none of them for long.
        """
        n_deleted = 0
        while True:
            with self._database.transaction() as statements:
                deleted = statements.execute(_DELETE, (before_day, rows))
            n_deleted += deleted
            if deleted < rows:
                return n_deleted


_DELETE = "DELETE FROM impressions WHERE seq IN (SELECT seq FROM impressions WHERE day < ? ORDER BY day, seq LIMIT ?)"
_PAGE = (
    "SELECT day, seq, version, arm, items FROM impressions WHERE (day > ? OR (day = ? AND seq > ?)) AND day < ?"
    " ORDER BY day, seq LIMIT ?"
)


def kept_id(text: str | None) -> str | None:
    """The id as both databases hold it: anybody may ask for a list with NUL in a user's id, which none can have."""
    return text and text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _row(given: Impression, forgotten: Forgotten) -> tuple[object, ...]:
    """In the order of the columns."""
    is_forgotten = max(forgotten.at(given.user_id), forgotten.at(given.session_id, "session")) > NEVER
    return (
        given.recommendation_id,
        given.given_at,
        int(given.given_at // DAY),
        None if is_forgotten else kept_id(given.user_id),
        None if is_forgotten else kept_id(given.session_id),
        given.version,
        given.arm,
        given.experiment,
        given.kind,
        given.status,
        len(given.items),
        json.dumps(given.items[:MOST_ITEMS], ensure_ascii=False, separators=(",", ":")),
    )
