"""Rows: a table or a query, as something to select from."""

import re
from dataclasses import dataclass

from recsys.errors import ConfigError

_PART = re.compile(r'"((?:[^"]|"")+)"|([^".]+)')
_COMMENT = re.compile(r"\s+|--[^\n]*(?:\n|$)|/\*.*?\*/", re.DOTALL)
_READING = ("select", "with", "values", "table", "from", "(")


@dataclass(frozen=True)
class Rows:
    """The rows of a `table`, whose name is as the database holds it, or of a `query`; the other is None."""

    table: str | None = None
    query: str | None = None

    def as_sql(self, quote: str) -> str:
        """What stands after FROM. `quote`: the sign around names."""
        if self.table is not None:
            return ".".join(quoted(part, quote) for part in parts_of(self.table))
        return f"(\n{statement(self.query or '')}\n) AS recsys_rows"  # a comment may end the query

    @property
    def name(self) -> str:
        """For messages: the table, or the start of the query."""
        if self.table is not None:
            return self.table
        text = " ".join((self.query or "").split())
        return f"query '{text[:_SHOWN]}{'...' if len(text) > _SHOWN else ''}'"


_SHOWN = 60


def quoted(name: str, quote: str) -> str:
    """A name as SQL writes it, whatever signs it has."""
    return f"{quote}{name.replace(quote, quote * 2)}{quote}"


def parts_of(table: str) -> list[str]:
    """`shop.events` as its parts; a part with a point is in double quotes. Raises ConfigError for anything else."""
    found, at = [], 0
    while (match := _PART.match(table, at)) is not None:
        found.append(match[1].replace('""', '"') if match[1] else match[2])
        at = match.end() + 1
        if table[match.end() : at] not in (".", ""):
            break
        if at > len(table):
            return found
    raise ConfigError(f'{table!r}: expected the name of a table, such as events, shop.events or "my.schema".events')


def statement(query: str) -> str:
    """The query without what ends it."""
    return query.strip().rstrip("; \n\t\r")


def check_reads(query: str) -> None:
    """Raise ConfigError if `query` begins as a statement that is no SELECT.

    It says so early; that nothing is written is made sure of by the session.
    """
    rest = query
    while (blank := _COMMENT.match(rest)) is not None:
        rest = rest[blank.end() :]
    if not rest.lower().startswith(_READING):
        first = (rest.split() or ["nothing"])[0]
        raise ConfigError(f"expected a SELECT; the query begins with {first!r}")
