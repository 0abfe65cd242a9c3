"""What an event store holds, and the removal of what is old."""

from collections.abc import Mapping
from dataclasses import dataclass

from recsys.event_store.database import Database, Transaction
from recsys.event_store.events import EVENTS
from recsys.event_store.impressions import IMPRESSIONS
from recsys.event_store.merges import MERGES
from recsys.progress import Progress, silent

ROWS = 20_000
"""Events that are looked at in one transaction, so that the service waits for none of them for long."""


@dataclass(frozen=True)
class Holdings:
    """What a store holds. `oldest`, `newest`: times of events, UTC seconds; None if there are none.

    `by_kind`: events by their kind, "" for those without one. `sessions`: those that were merged with a user.
    """

    events: int
    oldest: float | None
    newest: float | None
    by_kind: Mapping[str, int]
    users: int
    sessions: int
    impressions: int


def holdings(database: Database) -> Holdings:
    """Count what is there; every row is looked at. Raises EventStoreError."""
    database.require(EVENTS, MERGES, IMPRESSIONS)
    with database.read() as queries:
        ((n_events, oldest, newest, users),) = queries.fetch(
            "SELECT COUNT(*), MIN(timestamp), MAX(timestamp), COUNT(DISTINCT user_id) FROM events"
        )
        kinds = queries.fetch("SELECT COALESCE(event, ''), COUNT(*) FROM events GROUP BY 1 ORDER BY 2 DESC, 1")
        ((sessions,),) = queries.fetch("SELECT COUNT(*) FROM merges")
        ((impressions,),) = queries.fetch("SELECT COUNT(*) FROM impressions")
    by_kind = {str(kind): int(n) for kind, n in kinds}
    return Holdings(int(n_events), oldest, newest, by_kind, int(users), int(sessions), int(impressions))


def prune_events(database: Database, *, before: float, dry_run: bool = False, progress: Progress = silent) -> int:
    """Delete the events of before a time (UTC seconds); how many. With `dry_run` they are counted only.

    What the service keeps meanwhile is not touched. Merges stay: later events of their sessions are the user's.
    Raises EventStoreError; what was deleted until then stays deleted.
    """
    database.require(EVENTS, MERGES)
    with database.read() as queries:
        ((first, last),) = queries.fetch("SELECT MIN(seq), MAX(seq) FROM events")
    if first is None:
        return 0
    n_old = 0
    for start in range(first, last + 1, ROWS):
        found = (start, min(start + ROWS, last + 1), before)
        with database.read() as queries:
            ((n_here,),) = queries.fetch(f"SELECT COUNT(*) FROM events WHERE {_OLD}", found)
        if n_here and not dry_run:
            with database.transaction() as statements:
                n_here = _delete(statements, found)
        n_old += n_here
        progress("prune", min(start + ROWS, last + 1) - first, last + 1 - first)
    return n_old


_OLD = "seq >= ? AND seq < ? AND timestamp < ?"


def _delete(statements: Transaction, found: tuple[int, int, float]) -> int:
    return statements.execute(f"DELETE FROM events WHERE {_OLD}", found)
