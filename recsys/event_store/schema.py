"""Schema: the tables of one concern, and how they became what they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recsys.errors import EventStoreError
from recsys.event_store.dialect import Dialect

if TYPE_CHECKING:
    from recsys.event_store.database import Transaction

_TABLE = "recsys_schemas"


@dataclass(frozen=True)
class Schema:
    """The tables of one concern, as events.

    `migrations`: each the statements that lead from one version to the next; the first one makes the tables, and the
    version is their number. Once released, a migration never changes: append another one. A statement is written for
    both databases: TEXT, BIGINT, DOUBLE PRECISION, `{bytes}`; `{sequence}` makes a primary key whose numbers grow
    in the order of the commits and are never used again.
    """

    name: str
    migrations: tuple[tuple[str, ...], ...]

    def is_behind(self, known: Mapping[str, int], shown: str) -> bool:
        """Whether the database needs a migration. Raises EventStoreError if it is of a later release."""
        version = known.get(self.name, 0)
        if version > len(self.migrations):
            raise EventStoreError(
                f"{shown}: its tables of {self.name} have version {version}; this release knows "
                f"{len(self.migrations)}: use the newer release that wrote them",
                "failed",
            )
        return version < len(self.migrations)


def versions(queries: "Transaction", dialect: Dialect) -> dict[str, int]:
    """The version of each schema that the database has."""
    if not queries.fetch(dialect.find_table, (_TABLE,)):
        return {}
    return {name: int(version) for name, version in queries.fetch(f"SELECT name, version FROM {_TABLE}")}


def migrate(statements: "Transaction", dialect: Dialect, schemas: Sequence[Schema]) -> None:
    """Bring `schemas` to their last version. Raises EventStoreError if one is of a later release."""
    statements.execute(f"CREATE TABLE IF NOT EXISTS {_TABLE} (name TEXT PRIMARY KEY, version BIGINT NOT NULL)")
    known = versions(statements, dialect)
    for schema in schemas:
        if not schema.is_behind(known, dialect.shown):
            continue
        for migration in schema.migrations[known.get(schema.name, 0) :]:
            for statement in migration:
                statements.execute(_of_dialect(statement, dialect))
        upsert = f"INSERT INTO {_TABLE} VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET version = excluded.version"
        statements.execute(upsert, (schema.name, len(schema.migrations)))


def _of_dialect(statement: str, dialect: Dialect) -> str:
    for word, meaning in dialect.types.items():
        statement = statement.replace(f"{{{word}}}", meaning)
    return statement
