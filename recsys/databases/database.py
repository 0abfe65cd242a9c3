"""Database: one database by its address, and sessions that can only read it."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pyarrow as pa

from recsys.address import Address
from recsys.databases.columns import Column
from recsys.databases.dialects import Dialect, dialect_of
from recsys.databases.drivers import DRIVERS, kind_of
from recsys.databases.failures import failure, missing_table
from recsys.databases.statements import Rows
from recsys.errors import ConfigError, DataError
from recsys.extras import install
from recsys.suggestions import nearest_name


@dataclass(frozen=True)
class Estimate:
    """What a database expects of a statement, without running it. `width`: bytes per row."""

    rows: int
    width: int


@dataclass(frozen=True)
class Database:
    """The database at `address`. `connect_timeout`, `statement_timeout`: seconds, after which an attempt fails.

    `key`: of the configuration that names it, for messages.
    """

    address: Address
    connect_timeout: int = 15
    statement_timeout: int = 3_600
    key: str = "source"

    @property
    def name(self) -> str:
        """The address without who reads it, for messages: `postgresql://host/shop`."""
        return self.address.place

    @property
    def kind(self) -> str:
        """As in DRIVERS. Raises ConfigError."""
        return kind_of(self.address.scheme)

    @contextmanager
    def session(self) -> Iterator["Session"]:
        """A connection that reads and cannot write, closed at the end.

        Raises ConfigError if the driver is not installed; DataError if the database cannot be reached, and for
        whatever it refuses within the block. No message holds a secret.
        """
        dialect, connect = dialect_of(self.kind), _driver(self.kind)
        try:
            connection = dialect.connect(connect, self.address.resolved(), self.connect_timeout)
            try:
                with connection.cursor() as cursor:
                    dialect.begin(cursor, self.connect_timeout, self.statement_timeout)
                yield Session(connection, dialect)
            finally:
                connection.close()
        except Exception as error:
            if not isinstance(error, _failures()):
                raise
            told = failure(error, seconds=self.statement_timeout) + self._hint(missing_table(error))
            raise DataError(
                f"{self.key}: {self.name}: {self.address.hide(told)}"
            ) from None  # whose cause may hold a secret

    def _hint(self, missing: str | None) -> str:
        """The table whose name is like that of a missing one."""
        if missing is None:
            return ""
        with self.session() as session:
            known = session.tables()
        near = nearest_name(missing, known)
        shown = ", ".join(known[:_SHOWN]) + (", ..." if len(known) > _SHOWN else "")
        return (f"; did you mean {near!r}?" if near else "") + (f"; tables found: {shown}" if known else "")


def _failures() -> tuple[type[Exception], ...]:
    """What a driver raises; OSError is of the stream of rows."""
    return import_module("adbc_driver_manager").Error, pa.ArrowException, OSError


_SHOWN = 20


def _driver(kind: str) -> Any:
    """The function that connects. Raises ConfigError that says what to install."""
    driver = DRIVERS[kind]
    if find_spec("adbc_driver_manager") is None or find_spec(driver.module.partition(".")[0]) is None:
        raise ConfigError(f"{kind}:// is read by {driver.package}, which is not installed; {install(driver.extra)}")
    return import_module(driver.module).connect


@dataclass(frozen=True)
class Session:
    """An open connection, within one read-only transaction. Its methods raise the errors of the driver."""

    connection: Any
    dialect: Dialect

    def columns(self, rows: Rows) -> list[Column]:
        """The columns of `rows`. No row is read."""
        with self.connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {self._origin(rows)} LIMIT 0")
            reader = cursor.fetch_record_batch()
            try:
                return [self.dialect.column(each) for each in reader.schema]
            finally:
                reader.close()

    def batches(self, rows: Rows, columns: list[Column]) -> Generator[pa.RecordBatch]:
        """`columns` of all rows, batch by batch, as the database sends them.

        It stops the statement if the caller takes no more. Raises if the rows end before the statement does.
        """
        chosen = ", ".join(column.expression for column in columns)
        with self.connection.cursor() as cursor:
            self.dialect.stream(cursor)
            cursor.execute(f"SELECT {chosen} FROM {self._origin(rows)}")
            reader = cursor.fetch_record_batch()
            try:
                yield from reader
            except GeneratorExit:
                with suppress(*_failures()):  # it is of no use any more, whether it ends or not
                    self.dialect.cancel(cursor)
                raise
            finally:
                reader.close()

    def estimate(self, rows: Rows) -> Estimate:
        """About how many rows there are, by what the database knows already, and how wide they are."""
        with self.connection.cursor() as cursor:
            return Estimate(*self.dialect.estimate(cursor, self._origin(rows)))

    def marks(self, rows: Rows) -> dict[str, str]:
        """By the name of each table that `rows` come from: what is another text after the table was written to.

        Empty if the database does not say.
        """
        with self.connection.cursor() as cursor:
            return self.dialect.marks(cursor, self._origin(rows))

    def tables(self) -> list[str]:
        """The names of tables and views, with their schema if it is not the usual one; empty if it is not known."""
        with self.connection.cursor() as cursor:
            return self.dialect.tables(cursor)

    def _origin(self, rows: Rows) -> str:
        return rows.as_sql(self.dialect.quote)
