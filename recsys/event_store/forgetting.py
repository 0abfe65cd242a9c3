"""Forgetting: what an event store holds of a user, and its removal."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recsys.event_store.database import Database, Transaction
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

    Events that name another user stay, whatever their session. All of it is gone when this returns, or none is. The
    caller has written the tombstone: what is written meanwhile with an earlier time is not kept. Raises
    EventStoreError.
    """
    database.require(EVENTS, MERGES, IMPRESSIONS)
    name = kept_id(user_id)
    with database.transaction() as statements:
        sessions = tuple(str(session) for (session,) in statements.fetch(_SESSIONS, (user_id, until)))
        n_events = statements.execute("DELETE FROM events WHERE user_id = ? AND received_at <= ?", (user_id, until))
        n_lists = statements.execute("DELETE FROM impressions WHERE user_id = ? AND given_at <= ?", (name, until))
        for session in sessions:
            whose = (session, user_id, until)
            n_events += statements.execute(f"DELETE FROM events WHERE {_OF_SESSION} AND received_at <= ?", whose)
        n_lists += _remove_lists(statements, sessions, until)
        statements.execute("DELETE FROM merges WHERE user_id = ? AND merged_at <= ?", (user_id, until))
    return Removed(n_events, n_lists, sessions)


def _remove_lists(statements: Transaction, sessions: Sequence[str], until: float) -> int:
    n_lists = 0
    for start in range(0, len(sessions), _AT_ONCE):
        some = [kept_id(session) for session in sessions[start : start + _AT_ONCE]]
        places = ", ".join("?" * len(some))
        n_lists += statements.execute(
            f"DELETE FROM impressions WHERE session_id IN ({places}) AND user_id IS NULL AND given_at <= ?",
            (*some, until),
        )
    return n_lists


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
    """Delete what is there of anybody who was forgotten, found by the digests of all ids; each `Removed`.

    It ends what a process began that was stopped. Raises EventStoreError.
    """
    database.require(EVENTS, MERGES, IMPRESSIONS)
    with database.read() as queries:
        users = {str(user) for table in _TABLES for (user,) in queries.fetch(_IDS.format("user_id", table))}
        sessions = {str(each) for table in _TABLES[:2] for (each,) in queries.fetch(_IDS.format("session_id", table))}
    found = [remove_user(database, user, until=at) for user in sorted(users) if (at := forgotten.at(user)) > NEVER]
    found += [
        _remove_session(database, each, until=at)
        for each in sorted(sessions)
        if (at := forgotten.at(each, "session")) > NEVER
    ]
    return tuple(each for each in found if each.events or each.impressions or each.sessions)


def _remove_session(database: Database, session_id: str, *, until: float) -> Removed:
    with database.transaction() as statements:
        n_events = statements.execute(
            "DELETE FROM events WHERE session_id = ? AND user_id IS NULL AND received_at <= ?", (session_id, until)
        )
        n_lists = _remove_lists(statements, (session_id,), until)
    return Removed(n_events, n_lists, ())


_TABLES = ("events", "impressions", "merges")
_IDS = "SELECT DISTINCT {0} FROM {1} WHERE {0} IS NOT NULL"
