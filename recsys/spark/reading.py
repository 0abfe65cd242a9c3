"""Reading on Spark: each part of a log in its own way: files and tables in tasks, other sources by the driver."""

from typing import TYPE_CHECKING

from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.joined_source import JoinedSource
from recsys.data.ingest.readers import read_batches
from recsys.data.ingest.source import Source
from recsys.spark.accepted_rows import ReadPieces
from recsys.spark.catalogue_table import CatalogueTable
from recsys.spark.file_reading import read_files
from recsys.spark.log_reading import LogReading
from recsys.spark.table_reading import read_table

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def read_rows(spark: "SparkSession", source: Source, reading: LogReading) -> ReadPieces:
    """Read all rows of a log.

    Raises as `recsys.data.ingest.readers.read_batches`, and ComputeError if Spark fails.
    """
    read = ReadPieces()
    for part in source.parts if isinstance(source, JoinedSource) else (source,):
        first = len(read.accepted)
        if isinstance(part, FileSource):
            found = read_files(spark, part, reading, first=first)
        elif isinstance(part, CatalogueTable):
            found = read_table(part, reading, first=first)
        else:
            found = _read_here(part, reading, first=first)
        read = read.and_then(found)
    return read


def _read_here(source: Source, reading: LogReading, *, first: int) -> ReadPieces:
    """By the driver, batch by batch, as one piece."""
    batches = read_batches(
        source, reading.log, now=reading.now, forgotten=reading.forgotten, progress=reading.progress
    )
    report = reading.rows.write(first, batches)
    for facts in report.facts:
        reading.account.add(facts)
    return ReadPieces.of([report.n_accepted], report.kinds)
