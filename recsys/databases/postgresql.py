"""PostgreSQL, read by COPY in its binary form."""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

import pyarrow as pa

from recsys.databases.columns import Column
from recsys.databases.statements import quoted

_NO_COPY = {"adbc.postgresql.use_copy": "false"}
_BATCH_BYTES = {"adbc.postgresql.batch_size_hint_bytes": str(16 << 20)}

_DEFAULTS = {
    "application_name": "recsys",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
"""So that a server which is gone without a word is noticed within a minute."""

_AS_TEXT = frozenset(("interval", "time", "timetz", "money"))
_TABLES = """
SELECT CASE table_schema WHEN current_schema() THEN table_name ELSE table_schema || '.' || table_name END
FROM information_schema.tables WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1 LIMIT 10000
"""
_WRITES = """
SELECT schemaname || '.' || relname, n_tup_ins + n_tup_upd + n_tup_del, pg_is_in_recovery()
FROM pg_stat_all_tables WHERE schemaname || '.' || relname IN ({})
"""
_REPLAYED = "SELECT coalesce(pg_last_wal_replay_lsn()::text, '')"


class PostgreSQL:
    """A server of PostgreSQL, or one that speaks its protocol."""

    quote = '"'

    def connect(self, connect: Any, url: str, seconds: int) -> Any:
        """By the address, with time-outs that it does not name itself."""
        split = urlsplit(url)
        named = dict(parse_qsl(split.query, keep_blank_values=True))
        settings = {"connect_timeout": str(seconds)} | _DEFAULTS | named
        query = "&".join(f"{quote(key)}={quote(value, safe='/')}" for key, value in settings.items())
        return connect(urlunsplit(split._replace(query=query)), autocommit=False)

    def begin(self, cursor: Any, connect_seconds: int, statement_seconds: int) -> None:
        """One transaction that reads one state of the database, whatever others write meanwhile."""
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute(f"SET LOCAL statement_timeout = {1000 * statement_seconds}")
        cursor.execute("SET LOCAL synchronize_seqscans = off")  # which would begin a large table anywhere

    def stream(self, cursor: Any) -> None:
        """COPY, whose rows arrive while they are read, in batches of about 16 MiB."""
        cursor.adbc_statement.set_options(**_BATCH_BYTES)

    def cancel(self, cursor: Any) -> None:
        """By the server."""
        cursor.adbc_cancel()

    def column(self, found: pa.Field) -> Column:
        """As it is, or as text if the driver knows its bytes only; an amount of money as the text of its number."""
        name, kind = quoted(found.name, self.quote), (found.metadata or {}).get(b"POSTGRESQL:type", b"").decode()
        opaque = isinstance(found.type, pa.OpaqueType) and not pa.types.is_string(found.type.storage_type)
        if not opaque and kind not in _AS_TEXT:
            return Column(found.name, found.type, name)
        number = "::numeric" if kind == "money" else ""
        return Column(found.name, pa.string(), f"{name}{number}::text AS {name}")

    def estimate(self, cursor: Any, origin: str) -> tuple[int, int]:
        """As the planner does."""
        plan = _plan(cursor, origin, "")
        return int(plan["Plan Rows"]), int(plan["Plan Width"])

    def marks(self, cursor: Any, origin: str) -> dict[str, str]:
        """The rows that were ever written to each table of the plan; of a standby, what it has replayed."""
        tables = sorted(set(_scanned(_plan(cursor, origin, ", VERBOSE"))))
        if not tables:
            return {}
        names = ", ".join("'" + name.replace("'", "''") + "'" for name in tables)
        found = _answer(cursor, _WRITES.format(names))
        if any(standby for *_, standby in found):
            return {"the server that it replicates": str(_answer(cursor, _REPLAYED)[0][0])}
        return {name: str(written) for name, written, _ in found}

    def tables(self, cursor: Any) -> list[str]:
        """Those that this user may see."""
        return [str(name) for (name,) in _answer(cursor, _TABLES)]


def _answer(cursor: Any, statement: str) -> list[tuple[Any, ...]]:
    """The rows of a statement, which need not be a SELECT."""
    cursor.adbc_statement.set_options(**_NO_COPY)
    cursor.execute(statement)
    return list(cursor.fetchall())


def _plan(cursor: Any, origin: str, options: str) -> Mapping[str, Any]:
    (text,) = _answer(cursor, f"EXPLAIN (FORMAT JSON{options}) SELECT * FROM {origin}")[0]
    plan: Mapping[str, Any] = json.loads(text)[0]["Plan"]
    return plan


def _scanned(plan: Mapping[str, Any]) -> Iterator[str]:
    """The tables that a plan reads, with their schemas."""
    if "Relation Name" in plan:
        yield f"{plan['Schema']}.{plan['Relation Name']}"
    for part in plan.get("Plans", ()):
        yield from _scanned(part)
