"""PostedStore: posted items in one SQLite file, which every worker process reads."""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from api.errors import PostedFullError, PostedStoreError
from recsys.engine import PostedItem
from recsys.engine.posted import MAX_POSTED

FILE_NAME = "new-items.sqlite"
"""The file in the store's folder, unless the settings name another."""

_BUSY_SECONDS = 5.0
_TABLES = """
CREATE TABLE IF NOT EXISTS items (
    item_id TEXT PRIMARY KEY, title TEXT, attributes TEXT NOT NULL, posted_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS changes (one INTEGER PRIMARY KEY CHECK (one = 1), n INTEGER NOT NULL);
INSERT OR IGNORE INTO changes VALUES (1, 0);
"""
_PUT = "INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?)"


class PostedStore:
    """Durable: a change that was made survives a crash of the process and of the machine (WAL, synchronous = FULL).

    Any number of threads and processes may use the same file. It is made by the first `put`.
    """

    def __init__(self, path: Path, *, most: int = MAX_POSTED) -> None:
        self._path = path
        self._most = most

    def n_changes(self) -> int:
        """A number that grows with every change; 0 if nothing was ever posted. Raises PostedStoreError."""
        if not self._path.exists():
            return 0
        with self._open() as database:
            made = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'changes'").fetchone()
            return int(database.execute("SELECT n FROM changes").fetchone()[0]) if made else 0

    def read(self) -> tuple[PostedItem, ...]:
        """All posted items. Raises PostedStoreError."""
        if not self._path.exists():
            return ()
        with self._open() as database:
            rows = database.execute("SELECT item_id, title, attributes FROM items ORDER BY item_id").fetchall()
        return tuple(PostedItem(item_id, title, json.loads(attributes)) for item_id, title, attributes in rows)

    def put(self, item: PostedItem, *, is_taken_over: Callable[[str], bool] = lambda item_id: False) -> None:
        """Keep `item`, in the place of one with the same id. Raises PostedFullError, PostedStoreError.

        `is_taken_over`: whether the version that serves has an item; if the file is full, such ones are removed.
        """
        row = (item.item_id, item.title, json.dumps(dict(item.attributes), ensure_ascii=False), time.time())
        with self._open() as database, self._change(database):
            self._make_room(database, item.item_id, is_taken_over)
            database.execute(_PUT, row)

    def delete(self, item_id: str) -> bool:
        """Forget an item; whether it was there. Raises PostedStoreError."""
        if not self._path.exists():
            return False
        with self._open() as database, self._change(database):
            return database.execute("DELETE FROM items WHERE item_id = ?", (item_id,)).rowcount > 0

    def _make_room(self, database: sqlite3.Connection, item_id: str, is_taken_over: Callable[[str], bool]) -> None:
        others = [row[0] for row in database.execute("SELECT item_id FROM items WHERE item_id != ?", (item_id,))]
        if len(others) < self._most:
            return
        leaving = [(other,) for other in others if is_taken_over(other)]
        if not leaving:
            raise PostedFullError
        database.executemany("DELETE FROM items WHERE item_id = ?", leaving)

    @contextmanager
    def _change(self, database: sqlite3.Connection) -> Iterator[None]:
        """One transaction, which counts as a change."""
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.executescript(f"BEGIN IMMEDIATE;{_TABLES}")
        try:
            yield
        except BaseException:
            database.execute("ROLLBACK")
            raise
        database.execute("UPDATE changes SET n = n + 1")
        database.execute("COMMIT")

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection without implicit transactions; whatever SQLite refuses is a PostedStoreError."""
        try:
            with closing(sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)) as database:
                yield database
        except (sqlite3.Error, OSError, ValueError) as error:
            raise PostedStoreError(f"{self._path}: {error}") from error
