"""Reading on Spark: each part of a log in its own way: files and tables in tasks, other sources by the driver."""

from typing import TYPE_CHECKING

from recsys.config import LogSchema
from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.joined_source import JoinedSource
from recsys.data.ingest.log_account import LogAccount
from recsys.data.ingest.readers import read_batches
from recsys.data.ingest.source import Source
from recsys.forgotten import Forgotten
from recsys.progress import Progress
from recsys.spark.accepted_rows import AcceptedRows, ReadPieces
from recsys.spark.catalogue_table import CatalogueTable
from recsys.spark.file_reading import read_files
from recsys.spark.table_reading import read_table

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def read_rows(
    spark: "SparkSession",
    source: Source,
    log: LogSchema,
    rows: AcceptedRows,
    account: LogAccount,
    *,
    now: int,
    forgotten: Forgotten,
    progress: Progress,
) -> ReadPieces:
    """Read all rows of a log into `rows`. What became of them is added to `account`. `now`: UTC seconds.

    Raises as `recsys.data.ingest.readers.read_batches`, and ComputeError if Spark fails.
    """
    read = ReadPieces()
    for part in source.parts if isinstance(source, JoinedSource) else (source,):
        first = len(read.accepted)
        if isinstance(part, FileSource):
            found = read_files(
                spark, part, log, rows, account, now=now, forgotten=forgotten, progress=progress, first=first
            )
        elif isinstance(part, CatalogueTable):
            found = read_table(part, log, rows, account, now=now, forgotten=forgotten, progress=progress, first=first)
        else:
            found = _read_here(part, log, rows, account, now=now, forgotten=forgotten, progress=progress, first=first)
        read = read.and_then(found)
    return read


def _read_here(
    source: Source,
    log: LogSchema,
    rows: AcceptedRows,
    account: LogAccount,
    *,
    now: int,
    forgotten: Forgotten,
    progress: Progress,
    first: int,
) -> ReadPieces:
    """By the driver, batch by batch, as one piece."""
    report = rows.write(first, read_batches(source, log, now=now, forgotten=forgotten, progress=progress))
    for facts in report.facts:
        account.add(facts)
    return ReadPieces.of([report.n_accepted], report.kinds)
