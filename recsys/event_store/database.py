"""Database: transactions over SQLite or PostgreSQL, written once for both."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any, Literal

from recsys.address import Address, is_address
from recsys.errors import ConfigError, EventStoreError
from recsys.event_store.dialect import Dialect
from recsys.event_store.schema import Schema, migrate, versions
from recsys.event_store.sqlite import SqliteDialect
from recsys.extras import install

BUSY_SECONDS = 5.0
"""How long a transaction waits for another one by default."""

_MOST_IDLE = 4

Row = tuple[Any, ...]


class Transaction:
    """Statements of one transaction. `?` stands for a parameter, and for nothing else."""

    def __init__(self, cursor: Any, dialect: Dialect) -> None:
        self._cursor, self._dialect = cursor, dialect

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Run one statement; the number of rows that it changed."""
        self._cursor.execute(self._dialect.translated(sql), parameters)
        return int(self._cursor.rowcount)

    def executemany(self, sql: str, rows: Iterable[Sequence[object]]) -> int:
        """Run one statement for each of `rows`; the number of rows that they changed in all."""
        self._cursor.executemany(self._dialect.translated(sql), rows)
        return max(0, int(self._cursor.rowcount))

    def insert(self, into: str, rows: Sequence[Sequence[object]], *, conflict: str = "") -> int:
        """Insert rows into a table; how many it took. `into`: "INSERT INTO table (columns)"; `conflict` comes last.

        SQLite gets many rows per statement: it lets other threads run once per statement, and an inserting thread
        that lets a busy one run for every row hardly comes to its own.
        """
        together, n_taken = self._dialect.rows_per_insert, 0
        if together == 1:
            return self.executemany(_insert(into, len(rows[0]), 1, conflict), rows) if rows else 0
        for start in range(0, len(rows), together):
            part = rows[start : start + together]
            statement = _insert(into, len(part[0]), len(part), conflict)
            n_taken += self.execute(statement, [value for row in part for value in row])
        return n_taken

    def fetch(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """The rows of a query, or of a statement with RETURNING."""
        self._cursor.execute(self._dialect.translated(sql), parameters)
        rows: list[Row] = self._cursor.fetchall()
        return rows


class Database:
    """The tables of `require` in one database. Any number of threads and processes may use it.

    Nothing is connected to, made or migrated before the first transaction, so that a service starts while its
    database is away; a lost connection is made anew by the next transaction. Transactions that write wait for each
    other, also those of other processes, so that their sequence numbers grow in the order of their commits. Do not
    begin a transaction inside another one of the same thread.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._idle: list[Any] = []
        self._lock = Lock()
        self._schemas: dict[str, Schema] = {}
        self._migrated: frozenset[str] = frozenset()
        self._n_lost = 0

    @property
    def n_lost(self) -> int:
        """How often a connection was lost that had been in use: since it grew, this may be another database."""
        return self._n_lost

    @property
    def shown(self) -> str:
        """Its path or address, for messages."""
        return self._dialect.shown

    @property
    def kind(self) -> Literal["sqlite", "postgresql"]:
        """Which database it is; what is written once for both need not know."""
        return "sqlite" if isinstance(self._dialect, SqliteDialect) else "postgresql"

    def require(self, *schemas: Schema) -> None:
        """Have these tables in place before the next transaction."""
        self._schemas |= {schema.name: schema for schema in schemas}

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Statements that are durable together when the block has ended; none of them counts if it raises.

        Raises EventStoreError. If the connection broke during the commit, it may have happened nevertheless.
        """
        self._migrate()
        with self._begun(self._dialect.begin_write) as statements:
            yield statements

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Queries of one state of the database. Raises EventStoreError."""
        self._migrate()
        with self._begun(self._dialect.begin_read) as queries:
            yield queries

    def scrub(self, *, whole: bool = True) -> None:
        """Take what was deleted off the disk, as far as the database can, during which writers wait.

        `whole`: False for what is quick. Raises EventStoreError.
        """
        try:
            connection = self._dialect.connect()
            try:
                self._dialect.scrub(connection, whole=whole)
            finally:
                _close(connection)
        except self._dialect.errors as error:
            fault = self._dialect.explain(error)
            raise EventStoreError(f"{self.shown}: {fault.message}", fault.reason) from error

    def close(self) -> None:
        """Close the idle connections. A later transaction opens a new one."""
        with self._lock:
            closing, self._idle = self._idle, []
        for connection in closing:
            _close(connection)

    def _migrate(self) -> None:
        self._forget_outdated()
        wanted = frozenset(self._schemas)
        if wanted <= self._migrated:
            return
        schemas = list(self._schemas.values())
        with self._begun(self._dialect.begin_read) as queries:
            known = versions(queries, self._dialect)
        if any(schema.is_behind(known, self.shown) for schema in schemas):
            with self._begun(self._dialect.begin_write) as statements:
                migrate(statements, self._dialect, schemas)
        self._migrated = wanted

    @contextmanager
    def _begun(self, begin: tuple[str, ...]) -> Iterator[Transaction]:
        try:
            connection, cursor = self._started(begin)
            try:
                yield Transaction(cursor, self._dialect)
                cursor.execute("COMMIT")
            except BaseException as error:
                self._give_up(connection, cursor, error)
                raise
            self._keep(connection, cursor)
        except self._dialect.errors as error:
            fault = self._dialect.explain(error)
            raise EventStoreError(f"{self.shown}: {fault.message}", fault.reason) from error

    def _started(self, begin: tuple[str, ...]) -> tuple[Any, Any]:
        """A connection with a begun transaction. One that was idle may have died since: then a new one is made."""
        while (connection := self._take()) is not None:
            try:
                return connection, _begin(connection, begin)
            except self._dialect.errors as error:
                if self._dialect.explain(error).reason != "unavailable":
                    raise
                self._n_lost += 1
        connection = self._dialect.connect()
        return connection, _begin(connection, begin)

    def _take(self) -> Any:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _forget_outdated(self) -> None:
        """Drop connections that lead elsewhere; whether the tables are there is then not known."""
        with self._lock:
            current = [it for it in self._idle if self._dialect.is_current(it)]
            outdated = [it for it in self._idle if it not in current]
            self._idle = current
            self._n_lost += len(outdated)
        for connection in outdated:
            self._migrated = frozenset()
            _close(connection)

    def _keep(self, connection: Any, cursor: Any) -> None:
        cursor.close()
        with self._lock:
            if len(self._idle) < _MOST_IDLE:
                self._idle.append(connection)
                return
        _close(connection)

    def _give_up(self, connection: Any, cursor: Any, error: BaseException) -> None:
        if isinstance(error, self._dialect.errors) or not isinstance(error, Exception):
            _close(connection)
            return
        try:
            cursor.execute("ROLLBACK")
        except self._dialect.errors:
            _close(connection)
        else:
            self._keep(connection, cursor)


def open_database(where: str | Path | Address, *, busy_seconds: float = BUSY_SECONDS) -> Database:
    """The database at a path (SQLite) or at a URL of PostgreSQL. Raises ConfigError if it is neither.

    `busy_seconds`: how long a transaction waits for another one.
    """
    if isinstance(where, str):
        where = Address(where) if is_address(where) else Path(where)
    if isinstance(where, Path):
        return Database(SqliteDialect(where, busy_seconds=busy_seconds))
    if where.scheme == "sqlite":
        path = Path(where.resolved().partition("://")[2].removeprefix("/"))
        return Database(SqliteDialect(path, busy_seconds=busy_seconds))
    if where.scheme not in ("postgresql", "postgres"):
        raise ConfigError(f"{where}: expected a path, or a URL such as postgresql://user@host/name")
    return Database(_postgres(where, busy_seconds))


def _postgres(address: Address, busy_seconds: float) -> Dialect:
    try:
        module = import_module("recsys.event_store.postgres")
    except ImportError as error:
        raise ConfigError(f"{address}: needs psycopg; {install('sql')} ({error})") from error
    dialect: Dialect = module.PostgresDialect(address, busy_seconds=busy_seconds)
    return dialect


@lru_cache(maxsize=256)
def _insert(into: str, n_columns: int, n_rows: int, conflict: str) -> str:
    row = f"({', '.join('?' * n_columns)})"
    return f"{into} VALUES {', '.join([row] * n_rows)} {conflict}"


def _begin(connection: Any, begin: tuple[str, ...]) -> Any:
    try:
        cursor = connection.cursor()
        for statement in begin:
            cursor.execute(statement)
    except BaseException:
        _close(connection)
        raise
    return cursor


def _close(connection: Any) -> None:
    with suppress(Exception):  # whatever is wrong with it, it is not used again
        connection.close()
