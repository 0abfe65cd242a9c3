"""SQLite, whose values have types of their own, whatever their column says: they are read as text."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from recsys.databases.columns import Column
from recsys.databases.statements import quoted
from recsys.errors import DataError

_BATCH_ROWS = {"adbc.sqlite.query.batch_rows": str(1 << 17)}
_TABLES = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY 1"
_USUAL_WIDTH = 40


class SQLite:
    """A file of SQLite."""

    quote = '"'

    def connect(self, connect: Any, url: str, seconds: int) -> Any:
        """Read-only, so that a path with a typo makes no file. Raises DataError if there is none."""
        path = Path(url.partition("://")[2].removeprefix("/"))
        if not path.is_file():
            raise DataError(f"{url}: no such file")
        return connect(f"file:{quote(str(path.absolute()))}?mode=ro", autocommit=True)

    def begin(self, cursor: Any, connect_seconds: int, statement_seconds: int) -> None:
        """Wait for a writer as long as for a server."""
        cursor.execute("PRAGMA query_only = 1")
        cursor.execute(f"PRAGMA busy_timeout = {1000 * connect_seconds}")

    def stream(self, cursor: Any) -> None:
        """In batches of 131,072 rows."""
        cursor.adbc_statement.set_options(**_BATCH_ROWS)

    def cancel(self, cursor: Any) -> None:
        """Nothing is sent that is not asked for."""

    def column(self, found: pa.Field) -> Column:
        """As text: a column may hold a number here and a text there."""
        name = quoted(found.name, self.quote)
        return Column(found.name, pa.string(), f"CAST({name} AS TEXT) AS {name}")

    def estimate(self, cursor: Any, origin: str) -> tuple[int, int]:
        """The rows of the largest table that is read, by its highest row number."""
        rows = [_highest_row(cursor, table) for table in _read(cursor, origin)]
        return max(rows, default=0), _USUAL_WIDTH

    def marks(self, cursor: Any, origin: str) -> dict[str, str]:
        """Size and time of the file, and of what is not yet written into it."""
        cursor.execute("SELECT file FROM pragma_database_list WHERE name = 'main'")
        path = Path(cursor.fetchone()[0])
        files = [each for each in (path, path.with_name(f"{path.name}-wal")) if each.exists()]
        states = [(each.stat().st_size, each.stat().st_mtime_ns) for each in files]
        return {path.name: "/".join(f"{size}-{modified}" for size, modified in states if size)}

    def tables(self, cursor: Any) -> list[str]:
        """All of them."""
        cursor.execute(_TABLES)
        return [str(name) for (name,) in cursor.fetchall()]


def _read(cursor: Any, origin: str) -> list[str]:
    """The tables that a statement reads: those whose pages its program opens."""
    cursor.execute(f"EXPLAIN SELECT * FROM {origin}")
    opened = {int(row[3]) for row in cursor.fetchall() if row[1] == "OpenRead"}
    cursor.execute("SELECT tbl_name, rootpage FROM sqlite_schema WHERE type IN ('table', 'index')")
    return sorted({str(name) for name, page in cursor.fetchall() if page in opened})


def _highest_row(cursor: Any, table: str) -> int:
    """0 for a table that has no row numbers."""
    name = quoted(table, SQLite.quote)
    cursor.execute("SELECT 1 FROM pragma_table_list WHERE name = ? AND wr = 0", (table,))
    if cursor.fetchone() is None:
        return 0
    cursor.execute(f"SELECT max(rowid) FROM {name}")
    return int(cursor.fetchone()[0] or 0)
