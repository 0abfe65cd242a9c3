"""PostgreSQL as the event store, through psycopg (the extra `sql`)."""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import psycopg

from recsys.address import Address
from recsys.errors import StoreFault
from recsys.event_store.dialect import Fault

_LOCK = 0x72656373_7973  # "recsys"
_FAULTS: Mapping[str, StoreFault] = MappingProxyType(
    {
        "53100": "full",
        "25006": "read_only",
        "42501": "read_only",
        "55P03": "busy",
        "57014": "busy",
        "40001": "busy",
        "40P01": "busy",
        "53300": "busy",
    }
)


class PostgresDialect:
    """The database at `address`; `busy_seconds`: how long a transaction waits for another one, and a statement runs.

    Transactions that write wait for each other, as in SQLite. So they commit in the order of the numbers that
    `{sequence}` gave them, and whoever reads what has a higher number than the last one read misses nothing.
    """

    errors: type[Exception] = psycopg.Error
    types: Mapping[str, str] = MappingProxyType(
        {"sequence": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "bytes": "BYTEA"}
    )
    begin_write: tuple[str, ...] = ("BEGIN", f"SELECT pg_advisory_xact_lock({_LOCK})")
    begin_read: tuple[str, ...] = ("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",)
    rows_per_insert = 1
    find_table = "SELECT 1 WHERE to_regclass(?) IS NOT NULL"

    def __init__(self, address: Address, *, busy_seconds: float) -> None:
        self._address = address
        self._busy_seconds = busy_seconds

    @property
    def shown(self) -> str:
        """The address without secrets."""
        return str(self._address)

    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection whose commits are on the server's disk when they return."""
        wait = max(1, round(self._busy_seconds))
        connection = psycopg.connect(
            self._address.resolved(),
            autocommit=True,
            connect_timeout=wait,
            tcp_user_timeout=1000 * wait,
            application_name="recsys",
        )
        try:
            milliseconds = round(1000 * self._busy_seconds)
            connection.execute(
                "SELECT set_config('synchronous_commit', 'on', false), set_config('timezone', 'UTC', false),"
                f" set_config('lock_timeout', '{milliseconds}', false),"
                f" set_config('idle_in_transaction_session_timeout', '{60_000 + milliseconds}', false)"
            )
        except BaseException:
            connection.close()
            raise
        return connection

    def scrub(self, connection: psycopg.Connection[tuple[Any, ...]], *, whole: bool) -> None:
        """Free the room of what was deleted; the server overwrites it when it needs it, or at `VACUUM FULL`."""
        if not whole:
            return
        for table in ("events", "merges", "impressions"):
            connection.execute(f"VACUUM {table}")

    def is_current(self, connection: object) -> bool:
        """False if it is known to be broken."""
        return isinstance(connection, psycopg.Connection) and not connection.closed

    def translated(self, sql: str) -> str:
        """With %s for ?."""
        return _translated(sql)

    def explain(self, error: Exception) -> Fault:
        """By the SQLSTATE."""
        state = getattr(error, "sqlstate", None)
        lost = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
        reason: StoreFault = _FAULTS.get(state or "", "unavailable" if lost else "failed")
        message = " ".join(str(error).split()) or type(error).__name__
        return Fault(reason, self._address.hide(message))


@lru_cache(maxsize=1024)
def _translated(sql: str) -> str:
    return sql.replace("%", "%%").replace("?", "%s")
