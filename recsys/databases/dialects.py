"""Dialect: what differs between databases, one class per kind."""

from typing import Any, Protocol

import pyarrow as pa

from recsys.databases.columns import Column
from recsys.databases.postgresql import PostgreSQL
from recsys.databases.sqlite import SQLite
from recsys.databases.statements import quoted


class Dialect(Protocol):
    """What a session needs to know of a kind of database. `cursor`: of ADBC's DBAPI."""

    quote: str
    """The sign around names."""

    def connect(self, connect: Any, url: str, seconds: int) -> Any:
        """A connection by `connect`, the function of the driver. `seconds`: to wait for an answer."""

    def begin(self, cursor: Any, connect_seconds: int, statement_seconds: int) -> None:
        """Begin to read, so that nothing can be written."""

    def stream(self, cursor: Any) -> None:
        """Prepare a cursor for many rows."""

    def cancel(self, cursor: Any) -> None:
        """Stop the statement of a cursor, so that the rows that are left are not sent."""

    def column(self, found: pa.Field) -> Column:
        """A column that the driver found, selected so that its values arrive as they are."""

    def estimate(self, cursor: Any, origin: str) -> tuple[int, int]:
        """Rows and bytes per row of what stands after FROM."""

    def marks(self, cursor: Any, origin: str) -> dict[str, str]:
        """As `Session.marks`."""

    def tables(self, cursor: Any) -> list[str]:
        """As `Session.tables`."""


class OtherDatabase:
    """A database that only its driver knows: it is asked nothing but SELECT.

    A statement that writes cannot stand after FROM, which is where every query is put.
    """

    def __init__(self, quote: str = '"') -> None:
        self.quote = quote

    def connect(self, connect: Any, url: str, seconds: int) -> Any:
        """By its address as the driver reads it."""
        return connect(url)

    def begin(self, cursor: Any, connect_seconds: int, statement_seconds: int) -> None:
        """Nothing that is the same everywhere."""

    def stream(self, cursor: Any) -> None:
        """As the driver does it by default."""

    def cancel(self, cursor: Any) -> None:
        """By the driver."""
        cursor.adbc_cancel()

    def column(self, found: pa.Field) -> Column:
        """As it is."""
        return Column(found.name, found.type, quoted(found.name, self.quote))

    def estimate(self, cursor: Any, origin: str) -> tuple[int, int]:
        """Counted, which column stores do fast."""
        cursor.execute(f"SELECT count(*) FROM {origin}")
        return int(cursor.fetchone()[0]), _USUAL_WIDTH

    def marks(self, cursor: Any, origin: str) -> dict[str, str]:
        """Nothing is known."""
        return {}

    def tables(self, cursor: Any) -> list[str]:
        """Nothing is known."""
        return []


class DuckDB(OtherDatabase):
    """A file of DuckDB."""

    def connect(self, connect: Any, url: str, seconds: int) -> Any:
        """By the path of its file."""
        return connect(url.partition("://")[2].removeprefix("/"))


_USUAL_WIDTH = 64


def dialect_of(kind: str) -> Dialect:
    """The dialect of a kind of DRIVERS."""
    known: dict[str, Dialect] = {
        "postgresql": PostgreSQL(),
        "sqlite": SQLite(),
        "duckdb": DuckDB(),
        "bigquery": OtherDatabase(quote="`"),
    }
    return known.get(kind) or OtherDatabase()
