"""CatalogueTable: the rows of a table, a view or a query that the session's catalogue knows.

The session itself finds the table: in its Hive metastore or Unity Catalog, in an Iceberg or Delta catalogue of its
configuration, or among its temporary views.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from recsys.data.ingest.column_types import check_type, with_coded_ids
from recsys.data.ingest.hashed_reads import HashedReads
from recsys.data.ingest.row_hashes import RowHashes
from recsys.data.ingest.source import TIMESTAMP, Batches, Columns, RawBatch
from recsys.data.ingest.spark_table import SparkTable
from recsys.databases.statements import parts_of
from recsys.errors import DataError
from recsys.progress import Progress, silent
from recsys.spark.failures import is_of_spark, named
from recsys.suggestions import nearest_name

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_FIRST_ROWS = 20_000
_BYTES_PER_VALUE = 16
_SHOWN = 20
_QUOTE = "`"

_CLASS, _STATE = re.compile(r"^\[[A-Z0-9_.]+\] "), re.compile(r"\s*SQLSTATE: \w+.*$")
_TRACING = ("SQLQueryContextLogger", "DataFrameQueryContextLogger")
_NOT_OF_ARROW = ("interval", "variant")
_NO_TABLE = "TABLE_OR_VIEW_NOT_FOUND"


@dataclass(frozen=True, eq=False)
class CatalogueTable:
    """The rows that `table` names, in `spark`; counted from 1 in the order in which Spark reads them.

    Its methods raise DataError if there is no such table, it lacks a column or has one of a type that cannot be
    read; ComputeError if Spark fails while it reads.
    """

    spark: "SparkSession"
    table: SparkTable
    _reads: HashedReads = field(default_factory=HashedReads)

    @property
    def description(self) -> str:
        """As that of the table."""
        return self.table.description

    @property
    def names(self) -> tuple[str, ...]:
        """As those of the table."""
        return self.table.names

    @cached_property
    def frame(self) -> "DataFrame":
        """All columns. A query stands after FROM, where nothing that writes can stand."""
        with self.explained():
            return self.spark.sql(f"SELECT * FROM {self.table.rows.as_sql(_QUOTE)}")

    def selected(self, columns: Columns) -> "tuple[DataFrame, dict[str, str]]":
        """The columns that are read, and the name of each in the frame by key. Raises as `check`."""
        from pyspark.sql import functions as F  # noqa: N812 (an extra)

        found = self.frame.columns
        places = columns.places(self.description, found)
        names = {key: found[place] for key, place in places.items()}
        with self.explained():
            chosen = self.frame.select(*(F.col(quoted(name)) for name in dict.fromkeys(names.values())))
        kinds = self._kinds(chosen)
        for key, name in names.items():
            check_type(self.description, key, name, kinds[name])
        return chosen, names

    def check(self, columns: Columns) -> None:
        """Look at the columns, without reading a row."""
        self.selected(columns)

    def fingerprint(self) -> str:
        """sha256, in hexadecimal, of the rows in any order; that of the last complete read, if there was one."""
        return self._reads.fingerprint(lambda: self.batches(self.table.columns))

    def know_hashes(self, hashes: RowHashes) -> None:
        """Remember what the tasks that read all rows summed up, so that the fingerprint costs no second read."""
        self._reads.know(hashes)

    def estimate_rows(self) -> int:
        """Counted by Spark, which of most tables needs no row for it."""
        with self.explained("counted"):
            return int(self.frame.count())

    def size_in_memory(self) -> int:
        """By the number of rows."""
        return self.estimate_rows() * len(self.table.columns.names) * _BYTES_PER_VALUE

    def block_bytes_in_memory(self) -> float:
        """Of a batch, with its copies."""
        return self.table.block_bytes_in_memory()

    def marks(self) -> Mapping[str, str]:
        """None: what has changed is not known."""
        return {}

    def first_times(self, columns: Columns) -> RawBatch:
        """Times of the first rows that have one, by which their unit is found."""
        from pyspark.sql import functions as F  # noqa: N812 (an extra)

        chosen, names = self.selected(columns)
        time = F.col(quoted(names[TIMESTAMP]))
        with self.explained():
            read = chosen.select(time).where(time.isNotNull()).limit(_FIRST_ROWS).toArrow().combine_chunks()
        batch = read.to_batches()[0] if read.num_rows else pa.RecordBatch.from_pylist([], schema=read.schema)
        return RawBatch.numbered(self.description, batch, {TIMESTAMP: 0}, first=1)

    def batches(self, columns: Columns, *, progress: Progress = silent) -> Batches:
        """Its rows, collected by the driver: of a catalogue of items; a log is read in tasks."""
        chosen, names = self.selected(columns)
        with self.explained():
            rows = chosen.toArrow()
        parse, own = partial(parsed, self.description, names), columns == self.table.columns
        yield from self._reads.batches(
            iter(rows.to_batches()), parse, expected=rows.num_rows, progress=progress, remember=own
        )

    def _kinds(self, chosen: "DataFrame") -> dict[str, pa.DataType]:
        """The type in which the values of each column arrive. Raises DataError for one that does not."""
        try:
            with _without_traces():
                return {each.name: each.type for each in chosen.limit(0).toArrow().schema}
        except Exception as error:  # of Spark, which has types that Arrow has not
            kinds = {each.name: each.dataType.simpleString() for each in chosen.schema}
            odd = ", ".join(f"{name!r} ({kind})" for name, kind in kinds.items() if kind in _NOT_OF_ARROW)
            raise DataError(
                f"{self.description}: column {odd or ', '.join(kinds)} is of a type of Spark that cannot be read: "
                f"{_sentence(str(error))}; cast it in {self.table.key.replace('source', 'query')}"
            ) from None

    @contextmanager
    def explained(self, done: str = "read") -> Iterator[None]:
        """What Spark says of a table or a query that it cannot look at, as DataError; what else fails, as named."""
        from pyspark.errors import AnalysisException

        try:
            with _without_traces():
                yield
        except AnalysisException as error:
            hint = self._hint() if error.getCondition() == _NO_TABLE and self.table.rows.table else ""
            raise DataError(f"{self.table.key}: {self.description}: {_sentence(str(error))}{hint}") from None
        except Exception as error:
            if not is_of_spark(error):
                raise
            raise named(error, f"while {self.description} was {done}") from None

    def _hint(self) -> str:
        """The tables beside one that is missing."""
        *space, name = parts_of(self.table.rows.table or "")
        with suppress(Exception):  # the schema may be missing too, or listing not allowed
            catalogue = self.spark.catalog
            listed = catalogue.listTables(".".join(map(quoted, space))) if space else catalogue.listTables()
            known = [each.name for each in listed]
            near = nearest_name(name, known)
            shown = ", ".join(known[:_SHOWN]) + (", ..." if len(known) > _SHOWN else "")
            return (f"; did you mean {near!r}?" if near else "") + (f"; tables found: {shown}" if known else "")
        return ""


@contextmanager
def _without_traces() -> Iterator[None]:
    """pyspark logs whatever a query raises, with the stack of Java; it is raised, and told, anyway."""
    from pyspark.logger import PySparkLogger

    loggers = [PySparkLogger.getLogger(name) for name in _TRACING]
    before = [each.disabled for each in loggers]
    for each in loggers:
        each.disabled = True
    try:
        yield
    finally:
        for each, disabled in zip(loggers, before, strict=True):
            each.disabled = disabled


def parsed(description: str, names: Mapping[str, str], batch: pa.RecordBatch, first: int) -> RawBatch:
    """The rows of a batch that has the columns of the table. `names`: by key."""
    places = {key: batch.schema.get_field_index(name) for key, name in names.items()}
    return with_coded_ids(RawBatch.numbered(description, batch, places, first=first))


def quoted(name: str) -> str:
    """A name as Spark reads it, whatever signs it has."""
    return f"`{name.replace(_QUOTE, _QUOTE * 2)}`"


def in_session(spark: "SparkSession", sources: Mapping[str, Any]) -> dict[str, Any]:
    """The sources, those that are tables of Spark as ones that the session reads."""
    return {
        what: CatalogueTable(spark, each) if isinstance(each, SparkTable) else each for what, each in sources.items()
    }


def _sentence(message: str) -> str:
    """The first line of what Spark says, without its codes."""
    line = next((line.strip() for line in message.splitlines() if line.strip()), "it did not say why")
    told = _STATE.sub("", _CLASS.sub("", line)).partition(" Verify the spelling")[0]
    return told.strip().rstrip(".")[:500]
