"""SqlSource: the rows of a table or a query of a database."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa

from recsys.config import DatabaseRows
from recsys.data.ingest.column_types import check_type, with_coded_ids
from recsys.data.ingest.hashed_reads import HashedReads
from recsys.data.ingest.source import Batches, Columns, RawBatch
from recsys.databases.columns import Column
from recsys.databases.database import Database, Estimate, Session
from recsys.databases.statements import Rows
from recsys.errors import ConfigError
from recsys.progress import Progress, silent

_BATCH_BYTES = 3 * (16 << 20)
"""A batch as it is sent, as it is decoded, and its ids coded."""


@dataclass(frozen=True, eq=False)
class SqlSource:
    """`rows` of `database`, in the order in which it sends them, counted from 1.

    `columns`: what is read, and what the fingerprint is of. A row has no other name than its number, so that a query
    with ORDER BY finds it again. Its methods raise DataError if the database cannot be reached, has no such rows, or
    ends before they do; ConfigError if its driver is not installed, or a variable of the address is not set.
    """

    database: Database
    rows: Rows
    columns: Columns
    _reads: HashedReads = field(default_factory=HashedReads)

    @staticmethod
    def of(section: DatabaseRows, columns: Columns, *, key: str) -> "SqlSource":
        """The rows that a section names. `key`: of the configuration, that names the database.

        Raises ConfigError if it names none.
        """
        if section.source is None:
            raise ConfigError(f"{key}: names no database")
        database = Database(section.source, section.connect_timeout, section.statement_timeout, key)
        return SqlSource(database, Rows(section.table, section.query), columns)

    @property
    def description(self) -> str:
        """The table, or the start of the query, and the database."""
        return f"{self.rows.name} of {self.database.name}"

    @property
    def names(self) -> tuple[str, ...]:
        """The table, or the start of the query."""
        return (self.rows.name,)

    def fingerprint(self) -> str:
        """sha256, in hexadecimal, of the rows in any order: of their number, and of two sums of their hashes.

        That of the last complete read, if there was one, so that it costs no second.
        """
        return self._reads.fingerprint(lambda: self.batches(self.columns))

    def estimate_rows(self) -> int:
        """As the database expects them, without counting."""
        return self._estimate().rows

    def size_in_memory(self) -> int:
        """By the number and the width of the rows that the database expects."""
        estimate = self._estimate()
        return estimate.rows * estimate.width

    def block_bytes_in_memory(self) -> float:
        """Of a batch, with its copies."""
        return _BATCH_BYTES

    def marks(self) -> Mapping[str, str]:
        """By the name of each table that the rows come from."""
        with self.database.session() as session:
            return session.marks(self.rows)

    def check(self, columns: Columns) -> None:
        """Look at the columns. Raises as `batches`."""
        with self.database.session() as session:
            self.places(session, columns)

    def batches(self, columns: Columns, *, progress: Progress = silent) -> Batches:
        """Its rows; `progress` counts rows.

        Raises DataError if a column is missing or of a type that cannot be read, or the rows cannot be read to their
        end.
        """
        with self.database.session() as session:
            chosen = self.places(session, columns)
            expected = session.estimate(self.rows).rows
            distinct = {column.name: column for column in chosen.values()}
            with closing(session.batches(self.rows, list(distinct.values()))) as batches:
                parse, own = partial(self._parsed, chosen), columns == self.columns
                yield from self._reads.batches(batches, parse, expected=expected, progress=progress, remember=own)

    def _estimate(self) -> Estimate:
        with self.database.session() as session:
            return session.estimate(self.rows)

    def _parsed(self, chosen: Mapping[str, Column], batch: pa.RecordBatch, first: int) -> RawBatch:
        places = {key: batch.schema.get_field_index(column.name) for key, column in chosen.items()}
        return with_coded_ids(RawBatch.numbered(self.description, batch, places, first=first))

    def places(self, session: Session, columns: Columns) -> dict[str, Column]:
        """The column of each key, as the database describes it."""
        found = session.columns(self.rows)
        places = columns.places(self.description, [column.name for column in found])
        for key, place in places.items():
            check_type(self.description, key, found[place].name, found[place].kind)
        return {key: found[place] for key, place in places.items()}
