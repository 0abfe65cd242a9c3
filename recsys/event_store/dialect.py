"""Dialect: the little in which SQLite and PostgreSQL differ for the tables of the event store."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from recsys.errors import StoreFault


@dataclass(frozen=True)
class Fault:
    """Why a database failed: the kind of it, and its message without secrets."""

    reason: StoreFault
    message: str


class Dialect(Protocol):
    """How one database is connected to and spoken to. Connections are those of Python's DB-API, without implicit
    transactions."""

    errors: type[Exception]
    """Base of what the database's library raises."""

    types: Mapping[str, str]
    """What stands for the words in braces of a table's definition: `{sequence}`, `{bytes}`."""

    begin_write: tuple[str, ...]
    """Statements that begin a transaction that writes: one at a time in the whole database."""

    begin_read: tuple[str, ...]
    """Statements that begin a transaction that reads one state of the database."""

    rows_per_insert: int
    """Rows of one INSERT; 1 if the library sends many at once anyway."""

    find_table: str
    """A query with one parameter, a table's name; it has a row if there is such a table."""

    @property
    def shown(self) -> str:
        """The database in messages, without secrets."""

    def connect(self) -> Any:
        """A new connection. Raises one of `errors`."""

    def scrub(self, connection: Any, *, whole: bool) -> None:
        """Take what was deleted off the disk, as far as that is quick; `whole`: as far as the database can.

        Raises one of `errors`.
        """

    def is_current(self, connection: Any) -> bool:
        """Whether an idle connection still leads to the database that `connect` would reach."""

    def translated(self, sql: str) -> str:
        """`sql` with `?` for parameters as the library wants it."""

    def explain(self, error: Exception) -> Fault:
        """What one of `errors` means."""
