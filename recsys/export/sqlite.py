"""Lists as a table of SQLite: a fresh one is filled in short transactions and swapped in one."""

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa

from recsys.address import Address
from recsys.errors import ConfigError, ExportError
from recsys.export.lists import SCHEMA
from recsys.export.target import ListWriter

_COLUMNS = (
    "(user_id TEXT NOT NULL, item_id TEXT NOT NULL, rank INTEGER NOT NULL, score REAL NOT NULL,"
    " model_version TEXT NOT NULL)"
)
_BUSY_SECONDS = 30.0
_EXPECTED = "expected sqlite:///folder/file.db/table, with four slashes before an absolute path"


@dataclass(frozen=True)
class SqliteTarget:
    """A table of a file: `table`, or the last part of the path of `address`. The file is made if it is missing."""

    address: Address
    table: str | None = None

    def __str__(self) -> str:
        return str(self.address) if self.table is None else f"{self.address}, table {self.table}"

    @property
    def lasts(self) -> bool:
        """See `Target`."""
        return True

    def check(self) -> None:
        """See `Target`."""
        self._places()

    def scrub(self) -> None:
        """Write the file anew, so that pages of replaced tables are gone."""
        file, _ = self._places()
        with (
            self._errors(),
            closing(sqlite3.connect(file, timeout=_BUSY_SECONDS, isolation_level=None)) as connection,
        ):
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def open(self, version: str) -> Iterator[ListWriter]:
        """See `Target`. What a killed export left is removed by the next one."""
        file, name = self._places()
        with (
            self._errors(),
            closing(sqlite3.connect(file, timeout=_BUSY_SECONDS, isolation_level=None)) as connection,
        ):
            connection.execute("PRAGMA legacy_alter_table = ON")  # views keep reading the table by its name
            self._check(connection, name)
            fresh = _FreshTable(connection, f"{name}__export")
            try:
                fresh.create()
                yield fresh
                fresh.swap(name)
            except BaseException:
                with suppress(sqlite3.Error):
                    fresh.drop()
                raise

    def _places(self) -> tuple[Path, str]:
        path = unquote(self.address.resolved().partition("://")[2])
        path, _, table = (path, "", self.table) if self.table is not None else path.rpartition("/")
        file = Path(path.removeprefix("/"))
        if not path.startswith("/") or not file.name or not table:
            raise ConfigError(f"{self}: {_EXPECTED}")
        if not file.parent.is_dir():
            raise ConfigError(f"{self}: the folder {file.parent} does not exist; {_EXPECTED}")
        return file, table

    def _check(self, connection: sqlite3.Connection, name: str) -> None:
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({_quoted(name)})")]
        if columns and sorted(columns) != sorted(SCHEMA.names):
            found, expected = ", ".join(columns), ", ".join(SCHEMA.names)
            raise ConfigError(
                f"{self}: this table holds something else: its columns are {found}, expected {expected}; it is not"
                " replaced: name another table"
            )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise ExportError(f"{self}: {error}; the table is as it was") from None


@dataclass(frozen=True)
class _FreshTable:
    """The table that is filled. Each write is a transaction, so that readers of the file never wait for long."""

    connection: sqlite3.Connection
    name: str

    def drop(self) -> None:
        self.connection.execute(f"DROP TABLE IF EXISTS {_quoted(self.name)}")

    def create(self) -> None:
        self.drop()
        self.connection.execute(f"CREATE TABLE {_quoted(self.name)} {_COLUMNS}")

    def write(self, lists: pa.Table) -> None:
        """Append rows; a score is stored as the double of the same value."""
        rows = zip(*(lists[name].to_pylist() for name in SCHEMA.names), strict=True)
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.executemany(f"INSERT INTO {_quoted(self.name)} VALUES (?, ?, ?, ?, ?)", rows)
        self.connection.execute("COMMIT")

    def swap(self, name: str) -> None:
        """Give it an index on users, and the name of the old table."""
        index = _quoted(f"{name}_{secrets.token_hex(4)}_by_user")  # the old table's has its name until the swap
        self.connection.execute(f"CREATE INDEX {index} ON {_quoted(self.name)} (user_id, rank)")
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.execute(f"DROP TABLE IF EXISTS {_quoted(name)}")
        self.connection.execute(f"ALTER TABLE {_quoted(self.name)} RENAME TO {_quoted(name)}")
        self.connection.execute("COMMIT")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
