"""SparkTable: a table, a view or a query of Spark's catalogue, as a configuration names it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from recsys.config import DatabaseRows
from recsys.data.ingest.source import Batches, Columns
from recsys.databases.statements import Rows, parts_of
from recsys.errors import ConfigError
from recsys.progress import Progress, silent

_BATCH_BYTES = 3 * (64 << 20)
"""A batch as a task of Spark gets it, with its copies."""


@dataclass(frozen=True)
class SparkTable:
    """`rows` that only a session of Spark can look at: `recsys.spark.catalogue_table` reads them.

    Without a session it has its names and nothing else: what needs the rows raises ConfigError. `columns`: what is
    read. `key`: of the configuration that names the table.
    """

    rows: Rows
    columns: Columns
    key: str

    @staticmethod
    def of(section: DatabaseRows, columns: Columns, *, key: str) -> "SparkTable":
        """The rows that a section names. Raises ConfigError if its `table` is no name of a table."""
        if section.table is not None:
            try:
                parts_of(section.table)
            except ConfigError as error:
                raise ConfigError(f"{key.replace('source', 'table')}: {error}") from None
        return SparkTable(Rows(section.table, section.query), columns, key)

    @property
    def description(self) -> str:
        """The table, or the start of the query."""
        return f"{self.rows.name} of Spark"

    @property
    def names(self) -> tuple[str, ...]:
        """The table, or the start of the query."""
        return (self.rows.name,)

    def check(self, columns: Columns) -> None:
        """Nothing: columns are looked for as soon as there is a session, before any work."""

    def marks(self) -> Mapping[str, str]:
        """None: what has changed is not known."""
        return {}

    def block_bytes_in_memory(self) -> float:
        """Of a batch, with its copies."""
        return _BATCH_BYTES

    def fingerprint(self) -> str:
        """Raises ConfigError."""
        self._needs_a_session()

    def estimate_rows(self) -> int:
        """Raises ConfigError."""
        self._needs_a_session()

    def size_in_memory(self) -> int:
        """Raises ConfigError."""
        self._needs_a_session()

    def batches(self, columns: Columns, *, progress: Progress = silent) -> Batches:
        """Raises ConfigError."""
        self._needs_a_session()

    def _needs_a_session(self) -> NoReturn:
        raise ConfigError(
            f'{self.key} = "spark": {self.rows.name} is read in a session of Spark, by `recsys run` and its steps'
        )
