"""Lists as a table of PostgreSQL: a fresh one, filled by COPY, takes the place of the old one.

Everything is one transaction, so a killed export leaves nothing: no rows, and no table.
"""

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString
from urllib.parse import unquote

import psycopg
import pyarrow as pa
import pyarrow.csv as pa_csv
from psycopg import sql

from recsys.address import Address
from recsys.errors import ConfigError, ExportError
from recsys.export.lists import SCHEMA
from recsys.export.old_table import OldTable
from recsys.export.target import ListWriter
from recsys.export.url_parts import UrlParts

MAX_NAME_BYTES = 63
"""PostgreSQL cuts longer names."""

_COLUMNS: LiteralString = (
    "(user_id text NOT NULL, item_id text NOT NULL, rank integer NOT NULL, score real NOT NULL,"
    " model_version text NOT NULL)"
)
_CONNECT_SECONDS = 10
_LOCK_MS, _PAUSE_SECONDS = 500, 3.0
_MOST_KEPT = 40
_EXPECTED = "expected postgresql://user@host/database/table, or .../database/schema.table"


@dataclass(frozen=True)
class PostgresTarget:
    """A table: `table`, or the last part of the path of `address`, after the database.

    `patience`: seconds that the swap waits, in short attempts, for transactions that have read the old table.
    """

    address: Address
    table: str | None = None
    patience: float = 300.0

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
        """A table that was replaced is gone with its files."""

    @contextmanager
    def open(self, version: str) -> Iterator[ListWriter]:
        """See `Target`."""
        url, schema, name = self._places()
        with self._connected(url) as connection, self._errors():
            schema = schema or self._default_schema(connection)
            old = OldTable.find(connection, schema, name, shown=str(self))
            fresh = _FreshTable(connection, sql.Identifier(schema, _fresh_name(name, connection.info.backend_pid)))
            fresh.create(version)
            if old is not None:
                old.give_access(connection, fresh.identifier)
            yield fresh
            fresh.index(old)
            self._make_room(connection, old)
            fresh.rename(name)
            self._commit(connection)

    def _places(self) -> tuple[str, str | None, str]:
        """The URL that libpq takes, schema and table."""
        parts = UrlParts.of(self.address.resolved())
        database, *rest = parts.path.removeprefix("/").split("/")
        named = [unquote(part) for part in rest if part] + ([] if self.table is None else [self.table])
        if len(named) != 1:
            raise ConfigError(f"{self}: names {len(named) or 'no'} table{'s' if named else ''}; {_EXPECTED}")
        schema, dot, name = named[0].rpartition(".")
        if not name or bool(dot) != bool(schema) or any(len(it.encode()) > MAX_NAME_BYTES for it in (schema, name)):
            raise ConfigError(f"{self}: got {named[0]!r} as the table; {_EXPECTED}")
        return parts.with_path(f"/{database}"), schema or None, name

    @contextmanager
    def _connected(self, url: str) -> "Iterator[psycopg.Connection[Any]]":
        with self._errors("cannot connect: ", then=""):
            options: dict[str, Any] = {"client_encoding": "UTF8", "application_name": "recsys export"}
            if "connect_timeout" not in UrlParts.of(url).query:
                options["connect_timeout"] = _CONNECT_SECONDS
            connection = psycopg.connect(url, **options)
        try:
            yield connection
        finally:
            connection.close()  # what is not committed is gone

    @contextmanager
    def _errors(self, doing: str = "", *, then: str = "; the table is as it was") -> Iterator[None]:
        """Errors of the database as ours, without secrets; `then`: what that means for the table."""
        try:
            yield
        except psycopg.Error as error:
            said = error.diag.message_primary or str(error).strip().partition("\n")[0] or type(error).__name__
            raise ExportError(f"{self}: {doing}{self.address.hide(said)}{then}") from None

    def _default_schema(self, connection: "psycopg.Connection[Any]") -> str:
        (schema,) = connection.execute("SELECT current_schema()").fetchone() or (None,)
        if schema is None:
            raise ConfigError(f"{self}: the search_path of this user has no schema; write schema.table")
        return str(schema)

    def _make_room(self, connection: "psycopg.Connection[Any]", old: OldTable | None) -> None:
        """Drop the old table, for this transaction.

        Who reads the old table in a long transaction delays this. New readers never wait longer than `_LOCK_MS`:
        then the attempt is given up, they pass, and it is tried again.
        """
        if old is None:
            return
        connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(_LOCK_MS))
        until, pause = time.monotonic() + self.patience, 0.1
        while not _locked(connection, old):
            if time.monotonic() > until:
                raise ExportError(
                    f"{self}: another transaction has held the table for {self.patience:.0f} s, so it could not be"
                    " swapped; the table is as it was"
                )
            time.sleep(pause)
            pause = min(2 * pause, _PAUSE_SECONDS)
        connection.execute(sql.SQL("DROP TABLE {}").format(old.identifier))

    def _commit(self, connection: "psycopg.Connection[Any]") -> None:
        with self._errors("the commit failed: ", then="; whether the table is the old or the new one is unknown"):
            connection.commit()


def _locked(connection: "psycopg.Connection[Any]", old: OldTable) -> bool:
    try:
        with connection.transaction():  # a savepoint
            connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(old.identifier))
    except psycopg.errors.LockNotAvailable:
        return False
    return True


def _fresh_name(name: str, pid: int) -> str:
    """A free name, of which the names of indexes are made: the end of `name` gives way to a number."""
    return f"{name.encode()[:_MOST_KEPT].decode(errors='ignore')}_{pid}"


@dataclass(frozen=True)
class _FreshTable:
    """The table that is filled, under a name that nobody sees."""

    connection: "psycopg.Connection[Any]"
    identifier: sql.Identifier

    def create(self, version: str) -> None:
        """Make it, in a transaction that may take long."""
        self.connection.execute("SET LOCAL statement_timeout = 0")
        self.connection.execute(sql.SQL("CREATE TABLE {} {}").format(self.identifier, sql.SQL(_COLUMNS)))
        comment = sql.SQL("COMMENT ON TABLE {} IS {}")
        self.connection.execute(comment.format(self.identifier, f"lists of {version}, written by recsys export"))

    def write(self, lists: pa.Table) -> None:
        """Append rows by COPY. As CSV they arrive as fast as in COPY's binary form through ADBC."""
        text = io.BytesIO()
        pa_csv.write_csv(lists.cast(SCHEMA), text, pa_csv.WriteOptions(include_header=False))
        statement = sql.SQL("COPY {} FROM STDIN (FORMAT csv)").format(self.identifier)
        with self.connection.cursor().copy(statement) as copy:
            copy.write(text.getbuffer())

    def index(self, old: OldTable | None) -> None:
        """Make the index on users, those of the old table, and statistics."""
        if old is not None:
            old.give_indexes(self.connection, self.identifier)
        if old is None or not old.has_index_on_users:
            self.connection.execute(sql.SQL("CREATE INDEX ON {} (user_id, rank)").format(self.identifier))
        self.connection.execute(sql.SQL("ANALYZE {}").format(self.identifier))

    def rename(self, name: str) -> None:
        """Give it the name of the table."""
        self.connection.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(self.identifier, sql.Identifier(name)))
