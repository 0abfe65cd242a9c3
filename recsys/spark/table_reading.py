"""Table reading: the rows of a table of Spark are checked where Spark reads them, a piece per partition."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from recsys.data.ingest.log_ends import DatedRow
from recsys.data.ingest.row_checks import CheckedRows, RowFacts, Rules, check_rows
from recsys.data.ingest.row_hashes import RowHashes
from recsys.data.ingest.source import TIMESTAMP, Columns
from recsys.data.ingest.timestamps import AUTO
from recsys.errors import DataError
from recsys.spark.accepted_rows import AcceptedRows, PieceReport, ReadPieces
from recsys.spark.catalogue_table import CatalogueTable, parsed
from recsys.spark.log_reading import LogReading
from recsys.spark.tallies import tally, tally_rows
from recsys.spark.told import kept_warnings

logger = logging.getLogger(__name__)

_PIECES = "pieces"


@dataclass(frozen=True)
class _PartitionReading:
    """How the rows of a partition become accepted ones. `names`: of columns by key. `first`: number of a piece."""

    description: str
    names: Mapping[str, str]
    rules: Rules
    rows: AcceptedRows
    first: int

    def read(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Write the accepted rows of one partition, and its report."""
        from pyspark import TaskContext

        context, hashes = TaskContext.get(), RowHashes()
        number = self.first + (0 if context is None else context.partitionId())
        with kept_warnings() as warnings:
            report = self.rows.write(number, self._checked(batches, hashes))
        self.rows.report(number, replace(report, warnings=tuple(warnings), hashes=hashes.sums))
        yield tally(_PIECES, number - self.first, report.n_accepted, marked(hashes.sums))

    def _checked(self, batches: Iterator[pa.RecordBatch], hashes: RowHashes) -> Iterator[CheckedRows]:
        n_rows = 0
        for batch in batches:
            rows = parsed(self.description, self.names, batch, n_rows + 1)
            hashes.add(rows.rows)
            n_rows += len(rows)
            yield check_rows(rows, self.rules)


def read_table(table: CatalogueTable, reading: LogReading, *, first: int) -> ReadPieces:
    """Read all rows of `table` in tasks, as `read_rows` says. Rows are numbered over all partitions.

    `first`: the number of the first piece.
    """
    chosen, names = table.selected(reading.columns)
    rules = _with_unit(reading.rules, table, reading.columns)
    partition = _PartitionReading(table.description, names, rules, reading.rows, first)
    with table.explained():
        found = tally_rows(chosen, partition.read, doing=f"while {table.description} was read")[_PIECES]
    accepted, kinds, hashes, n_rows = [0] * (int(found.key.max(initial=-1)) + 1), set[bytes](), RowHashes(), 0
    for piece, n_accepted, mark in zip(found.key.tolist(), found.n.tolist(), found.m.tolist(), strict=True):
        report = reading.rows.reported(first + piece)
        check_attempt(table.description, report, n_accepted, mark)
        for facts in report.facts:
            reading.account.add(_numbered(facts, n_rows))
        for warning in report.warnings:
            logger.warning("%s", warning)
        n_rows += report.n_rows
        accepted[piece] = report.n_accepted
        kinds.update(report.kinds)
        hashes.add_sums(report.hashes)
        reading.progress("read", piece + 1, len(accepted))
    table.know_hashes(hashes)
    return ReadPieces.of(accepted, kinds)


def marked(sums: tuple[int, int, int]) -> int:
    """An int64 that tells the rows of a piece from other rows. `sums`: of their hashes."""
    return sums[1] - (1 << 63)


def check_attempt(description: str, report: PieceReport, n_accepted: int, mark: int) -> None:
    """Raise DataError if the report of a piece is not of the attempt that Spark counts, but has other rows."""
    if (report.n_accepted, marked(report.hashes)) != (n_accepted, mark):
        raise DataError(
            f"{description}: a task that ran twice read other rows the second time; expected a query that gives the "
            "same rows whenever it runs, so without rand(), and LIMIT only after ORDER BY"
        )


def _with_unit(rules: Rules, table: CatalogueTable, columns: Columns) -> Rules:
    if rules.unit != AUTO or TIMESTAMP not in columns.names:
        return rules
    found = rules.with_unit_of(table.first_times(columns))
    if found.unit != AUTO:
        logger.info("log.timestamp is read as %s", found.unit)
    return found


def _numbered(facts: RowFacts, before: int) -> RowFacts:
    """The facts of a batch whose rows come after `before` others."""
    if not before:
        return facts
    refused = replace(facts.refused, positions=facts.refused.positions + np.int64(before))
    ends = facts.ends and (_moved(facts.ends[0], before), _moved(facts.ends[1], before))
    return replace(facts, refused=refused, ends=ends)


def _moved(row: DatedRow, before: int) -> DatedRow:
    origin, _, position = row.place.rpartition(":")
    return DatedRow(row.time, f"{origin}:{int(position) + before}")
