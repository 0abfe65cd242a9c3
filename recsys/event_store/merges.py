"""Merges: sessions that turned out to be of a user, who logged in."""

import time

from recsys.event_store.database import Database
from recsys.event_store.schema import Schema

MERGES = Schema(
    "merges",
    (
        (
            "CREATE TABLE merges (seq {sequence}, session_id TEXT NOT NULL UNIQUE, user_id TEXT NOT NULL,"
            " merged_at DOUBLE PRECISION NOT NULL)",
            "CREATE INDEX merges_by_user ON merges (user_id)",
        ),
    ),
)

_INSERT = "INSERT INTO merges (session_id, user_id, merged_at) VALUES (?, ?, ?) ON CONFLICT (session_id) DO NOTHING"


class Merges:
    """The sessions of users. A session belongs to one user for good: the first one it was merged with."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.require(MERGES)

    def merge(self, session_id: str, user_id: str) -> str:
        """Let a session's events, past and future, be the user's; the user it belongs to, who may be another one.

        Durable when it returns. Raises EventStoreError.
        """
        with self._database.transaction() as statements:
            statements.execute(_INSERT, (session_id, user_id, time.time()))
            ((owner,),) = statements.fetch("SELECT user_id FROM merges WHERE session_id = ?", (session_id,))
        return str(owner)
