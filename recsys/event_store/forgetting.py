"""Forgetting: what an event store holds of a user, and its removal."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from recsys.event_store.database import Database
from recsys.event_store.events import EVENTS, KeptEvent
from recsys.event_store.impressions import IMPRESSIONS, kept_id
from recsys.event_store.merges import MERGES
from recsys.forgotten import NEVER, Forgotten

_SESSIONS = "SELECT session_id FROM merges WHERE user_id = ? AND merged_at <= ? ORDER BY seq"
_OF_SESSION = "session_id = ? AND (user_id IS NULL OR user_id = ?)"
_AT_ONCE = 500


@dataclass(frozen=True)
class Removed:
    """What was deleted of one user. `sessions`: those that were the user's."""

    events: int
    impressions: int
    sessions: tuple[str, ...]


@dataclass(frozen=True)
class Held:
    """What a store holds of one user: rows by column, up to a limit, the latest first; `n_*`: of all of them."""

    sessions: tuple[str, ...]
    n_events: int
    events: tuple[KeptEvent, ...]
    n_impressions: int
    impressions: tuple[Mapping[str, Any], ...]


def sessions_of(database: Database, user_id: str, *, until: float) -> tuple[str, ...]:
    """The sessions that were merged with a user up to a time, UTC seconds. Raises EventStoreError."""
    database.require(EVENTS, MERGES, IMPRESSIONS)
    with database.read() as queries:
        return tuple(str(session) for (session,) in queries.fetch(_SESSIONS, (user_id, until)))


def remove_user(database: Database, user_id: str, *, until: float) -> Removed:
    """Delete what came of a user, and of the user's sessions, up to `until`, UTC seconds: events, merges and lists.

    Events that name another user stay, whatever their session. The caller has written the tombstone: what is written
    meanwhile with an earlier time is not kept. Done again, it ends what was stopped. Raises EventStoreError.
    """
    removed = _remove_rows(database, user_id, until=until)
    return replace(removed, impressions=remove_lists(database, [user_id], removed.sessions, until=until))


def remove_users(database: Database, user_ids: Sequence[str], *, until: float) -> tuple[Removed, ...]:
    """`remove_user` of each, with one look at all given lists; their number stands in the first `Removed`."""
    found = [_remove_rows(database, user_id, until=until) for user_id in user_ids]
    sessions = [session for each in found for session in each.sessions]
    n_lists = remove_lists(database, user_ids, sessions, until=until)
    return tuple(replace(each, impressions=0 if at else n_lists) for at, each in enumerate(found))


def _remove_rows(database: Database, user_id: str, *, until: float) -> Removed:
    """Events and merges, which are found by index, all or none."""
    database.require(EVENTS, MERGES, IMPRESSIONS)
    with database.transaction() as statements:
        sessions = tuple(str(session) for (session,) in statements.fetch(_SESSIONS, (user_id, until)))
        n_events = statements.execute("DELETE FROM events WHERE user_id = ? AND received_at <= ?", (user_id, until))
        for session in sessions:
            whose = (session, user_id, until)
            n_events += statements.execute(f"DELETE FROM events WHERE {_OF_SESSION} AND received_at <= ?", whose)
        statements.execute("DELETE FROM merges WHERE user_id = ? AND merged_at <= ?", (user_id, until))
    return Removed(n_events, 0, sessions)


def remove_lists(database: Database, user_ids: Sequence[str], sessions: Sequence[str], *, until: float) -> int:
    """Delete the lists that were given up to `until` to users, and in sessions without a user; how many.

    They have no index by person: they are looked for without holding up who writes, and then deleted by number.
    """
    found: list[int] = []
    for column, names in (("user_id = {0}", user_ids), ("user_id IS NULL AND session_id = {0}", sessions)):
        for start in range(0, len(names), _AT_ONCE):
            some = [kept_id(name) for name in names[start : start + _AT_ONCE]]
            condition = column.replace("= {0}", f"IN ({', '.join('?' * len(some))})")
            with database.read() as queries:
                sql = f"SELECT seq FROM impressions WHERE given_at <= ? AND {condition}"
                found += [int(seq) for (seq,) in queries.fetch(sql, (until, *some))]
    for start in range(0, len(found), _AT_ONCE):
        numbers = found[start : start + _AT_ONCE]
        with database.transaction() as statements:
            statements.execute(f"DELETE FROM impressions WHERE seq IN ({', '.join('?' * len(numbers))})", numbers)
    return len(found)


def held_of(database: Database, user_id: str, *, limit: int) -> Held:
    """What is there of a user and of the user's sessions, in one state. Raises EventStoreError."""
    database.require(EVENTS, MERGES, IMPRESSIONS)
    columns = ", ".join(KeptEvent._fields)
    whose = "(user_id = ? OR (user_id IS NULL AND session_id IN (SELECT session_id FROM merges WHERE user_id = ?)))"
    names, lists = (user_id, user_id), (kept_id(user_id), user_id)
    shown = ("recommendation_id", "given_at", "session_id", "version", "arm", "kind", "status", "items")
    latest = "ORDER BY seq DESC LIMIT ?"
    with database.read() as queries:
        sessions = queries.fetch("SELECT session_id FROM merges WHERE user_id = ? ORDER BY seq", (user_id,))
        ((n_events,),) = queries.fetch(f"SELECT COUNT(*) FROM events WHERE {whose}", names)
        events = queries.fetch(f"SELECT {columns} FROM events WHERE {whose} {latest}", (*names, limit))
        ((n_lists,),) = queries.fetch(f"SELECT COUNT(*) FROM impressions WHERE {whose}", lists)
        rows = queries.fetch(f"SELECT {', '.join(shown)} FROM impressions WHERE {whose} {latest}", (*lists, limit))
    return Held(
        sessions=tuple(str(session) for (session,) in sessions),
        n_events=int(n_events),
        events=tuple(map(KeptEvent._make, events)),
        n_impressions=int(n_lists),
        impressions=tuple(dict(zip(shown, (*row[:-1], json.loads(row[-1])), strict=True)) for row in rows),
    )


def remove_forgotten(database: Database, forgotten: Forgotten) -> tuple[Removed, ...]:
    """Delete what is there of anybody who was forgotten, found by the digests of all ids; what was there of each.

    It ends what a process began that was stopped. Raises EventStoreError.
    """
    database.require(EVENTS, MERGES, IMPRESSIONS)
    with database.read() as queries:
        users = {str(user) for table in _TABLES for (user,) in queries.fetch(_IDS.format("user_id", table))}
        sessions = {str(each) for table in _TABLES for (each,) in queries.fetch(_IDS.format("session_id", table))}
    of_users = {user: at for user in sorted(users) if (at := forgotten.at(user)) > NEVER}
    of_sessions = {each: at for each in sorted(sessions) if (at := forgotten.at(each, "session")) > NEVER}
    found = [remove_user(database, user, until=at) for user, at in of_users.items()]
    found += [_remove_session(database, session, until=at) for session, at in of_sessions.items()]
    return tuple(each for each in found if each.events or each.impressions or each.sessions)


def _remove_session(database: Database, session_id: str, *, until: float) -> Removed:
    with database.transaction() as statements:
        n_events = statements.execute(
            "DELETE FROM events WHERE session_id = ? AND user_id IS NULL AND received_at <= ?", (session_id, until)
        )
    return Removed(n_events, remove_lists(database, (), (session_id,), until=until), ())


_TABLES = ("events", "impressions", "merges")
_IDS = "SELECT DISTINCT {0} FROM {1} WHERE {0} IS NOT NULL"
