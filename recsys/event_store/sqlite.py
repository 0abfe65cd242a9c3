"""SQLite as the event store: one file in WAL mode, for any number of threads and processes of one machine."""

import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from recsys.errors import StoreFault
from recsys.event_store.dialect import Fault

_FAULTS: Mapping[int, StoreFault] = MappingProxyType(
    {
        sqlite3.SQLITE_FULL: "full",
        sqlite3.SQLITE_READONLY: "read_only",
        sqlite3.SQLITE_BUSY: "busy",
        sqlite3.SQLITE_LOCKED: "busy",
        sqlite3.SQLITE_CANTOPEN: "unavailable",
        sqlite3.SQLITE_IOERR: "unavailable",
        sqlite3.SQLITE_PERM: "unavailable",
        sqlite3.SQLITE_CORRUPT: "damaged",
        sqlite3.SQLITE_NOTADB: "damaged",
    }
)

_PRAGMAS = ("synchronous = FULL", "cache_size = -16000", "wal_autocheckpoint = 4000", "secure_delete = ON")
"""Commits are on disk when they return; 16 MB of pages per connection, and of the log until it is emptied.

What is deleted is overwritten with zeros.
"""

MOST_SCRUBBED = 256 * 2**20
"""Bytes of the largest file that is written anew, during which nobody else can write; in a larger one deleted rows
are overwritten, as always."""


class _Connection(sqlite3.Connection):
    file: tuple[int, int] | None = None


class SqliteDialect:
    """The file at `path`; `busy_seconds`: how long a transaction waits for another one."""

    errors: type[Exception] = sqlite3.Error
    types: Mapping[str, str] = MappingProxyType({"sequence": "INTEGER PRIMARY KEY AUTOINCREMENT", "bytes": "BLOB"})
    begin_write: tuple[str, ...] = ("BEGIN IMMEDIATE",)
    begin_read: tuple[str, ...] = ("BEGIN",)
    rows_per_insert = 500
    find_table = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"

    def __init__(self, path: Path, *, busy_seconds: float) -> None:
        self._path = path
        self._busy_seconds = busy_seconds

    @property
    def shown(self) -> str:
        """The file's path."""
        return str(self._path)

    def connect(self) -> sqlite3.Connection:
        """A connection whose commits are on disk when they return."""
        connection = sqlite3.connect(
            self._path, self._busy_seconds, isolation_level=None, check_same_thread=False, factory=_Connection
        )
        try:
            connection.file = _identity(self._path)
            with suppress(sqlite3.OperationalError):  # a file that may only be read has its mode already
                connection.execute("PRAGMA journal_mode = WAL")
            for pragma in _PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
        except BaseException:
            connection.close()
            raise
        return connection

    def scrub(self, connection: sqlite3.Connection, *, whole: bool) -> None:
        """Empty the log of changes; `whole`: write the file anew without what was deleted, if it is not large."""
        if whole and self._path.stat().st_size <= MOST_SCRUBBED:
            connection.execute("VACUUM")
        ((busy, *_),) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        if busy:
            raise sqlite3.OperationalError("the log of changes is in use; what was deleted may still be in it")

    def is_current(self, connection: object) -> bool:
        """False if the file was deleted or replaced: what is written to the old one would be lost."""
        return isinstance(connection, _Connection) and connection.file == _identity(self._path)

    def translated(self, sql: str) -> str:
        """As it is."""
        return sql

    def explain(self, error: Exception) -> Fault:
        """By SQLite's result code."""
        code = getattr(error, "sqlite_errorcode", None)
        return Fault(_FAULTS.get(code & 0xFF, "failed") if isinstance(code, int) else "failed", str(error))


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
