"""File reading: the files of a log are read and checked by the local readers, in tasks, one or more files each.

What the local reader learns while it reads on, the unit of time, is learned by the driver on the start of the files.
What it adds up, the driver adds up from the reports of the pieces, in the order of the log.
"""

import logging
import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from recsys.data.ingest.file_copies import readable_files
from recsys.data.ingest.file_parts import FilePart, TornRecordError
from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.input_files import InputFile, sha256_of, size_of
from recsys.data.ingest.partitions import CONTRADICTED, PartitionColumns
from recsys.data.ingest.row_checks import CheckedRows, Rules, check_rows
from recsys.data.ingest.source import Batches, Columns, RawBatch
from recsys.data.ingest.timestamps import AUTO
from recsys.errors import DataError
from recsys.spark.accepted_rows import AcceptedRows, PieceReport, ReadPieces
from recsys.spark.file_cuts import PART_BYTES, Parts, cut_files
from recsys.spark.log_reading import LogReading
from recsys.spark.tallies import tally, tally_tasks
from recsys.spark.told import kept_warnings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Piece:
    """A file of the log, by its place among the files, or a part of it. `n_bytes`: of the piece.

    `is_first`: whether it is the first of its file. `left_out`: its file is read as a whole instead.
    """

    file: int
    path: InputFile
    n_bytes: int
    part: FilePart | None = None
    is_first: bool = True
    left_out: bool = False


@dataclass(frozen=True)
class FileReading:
    """How pieces of a log of files become accepted rows.

    `rules`: with the unit of time. `undetected`: place and first position of the batch in which it was detected:
    those before it are checked without a unit, as on one machine. `first`: the number of the first piece in `rows`.
    """

    source: FileSource
    columns: Columns
    pieces: tuple[Piece, ...]
    rules: Rules
    undetected: tuple[int, int]
    rows: AcceptedRows
    first: int = 0

    def read(self, number: int) -> PieceReport:
        """Read one piece, and write its accepted rows."""
        piece, digests = self.pieces[number], dict[InputFile, str]()
        if piece.left_out:
            return self.rows.write(self.first + number, ())
        _check_seen(piece.path)
        with kept_warnings() as warnings:
            found = next(files := readable_files([piece.path], digests))
            batches = self.source.batches_of(found, self.columns, _no_progress, PartitionColumns(), part=piece.part)
            try:
                report = self.rows.write(self.first + number, self._checked(batches, piece))
            except TornRecordError:
                return PieceReport((), (), 0, torn=True)
            next(files, None)
        digest = (digests.get(piece.path) or sha256_of(piece.path)) if piece.is_first else ""
        return replace(report, warnings=tuple(warnings), digest=digest)

    def reported(self, number: int) -> PieceReport:
        """The report of one piece."""
        return self.rows.reported(self.first + number)

    def _checked(self, batches: Batches, piece: Piece) -> Iterator[CheckedRows]:
        for parse in batches:
            batch = parse()
            yield check_rows(batch, self._rules_of(batch, piece))

    def _rules_of(self, batch: RawBatch, piece: Piece) -> Rules:
        if len(batch) and (piece.file, int(batch.positions[0])) < self.undetected:
            return replace(self.rules, form=replace(self.rules.form, unit=AUTO))
        return self.rules


def read_files(
    spark: "SparkSession",
    source: FileSource,
    reading: LogReading,
    *,
    first: int = 0,
    part_bytes: int = PART_BYTES,
) -> ReadPieces:
    """Read all files of a log in tasks, as `read_rows` says.

    Files of more than twice `part_bytes` are cut into parts of about that size. `first`: the number of the first
    piece.
    Raises DataError if a file lacks a column, is damaged, or is not there for an executor.
    """
    source.tell_found()
    sizes = {file: size_of(file) for file in source.files}
    rules, undetected = detected(source, reading.columns, reading.rules)
    pieces = _pieces(source.files, cut_files(spark, source, part_bytes=part_bytes), part_bytes)
    files = FileReading(source, reading.columns, pieces, rules, undetected, reading.rows, first)
    _read_all(spark, files, range(len(pieces)))
    if torn := {piece.file for number, piece in enumerate(pieces) if files.reported(number).torn}:
        files = replace(files, pieces=tuple(_whole(piece) if piece.file in torn else piece for piece in pieces))
        _read_all(spark, files, [number for number, piece in enumerate(pieces) if piece.file in torn])
    return _accounted(files, sizes, reading)


def _pieces(files: Sequence[InputFile], cuts: Sequence[Parts], part_bytes: int) -> tuple[Piece, ...]:
    """The parts of all files, in the order of the log."""
    return tuple(
        Piece(at, file, size_of(file) if part is None else part_bytes, part, is_first=number == 0)
        for at, (file, parts) in enumerate(zip(files, cuts, strict=True))
        for number, part in enumerate(parts)
    )


def _whole(piece: Piece) -> Piece:
    """The whole file in the place of its first part, nothing in the place of the others."""
    if piece.is_first:
        logger.info("%s: has rows that span lines where it would be cut, and is read as a whole", piece.path)
    return replace(piece, part=None, left_out=not piece.is_first, n_bytes=size_of(piece.path))


def _read_all(spark: "SparkSession", reading: FileReading, numbers: Sequence[int]) -> None:
    tasks = _tasks(numbers, [reading.pieces[number].n_bytes for number in numbers])
    tally_tasks(spark, len(tasks), partial(_read, reading, tasks), doing="while the log was read")


def _read(reading: FileReading, tasks: Sequence[Sequence[int]], task: int) -> Iterator[pa.RecordBatch]:
    for number in tasks[task]:
        report = reading.read(number)
        reading.rows.report(reading.first + number, report)
        yield tally("accepted", number, report.n_accepted)


def _tasks(numbers: Sequence[int], sizes: Sequence[int]) -> list[Sequence[int]]:
    """The numbers of consecutive pieces of up to PART_BYTES in all, or one."""
    tasks, start, total = list[Sequence[int]](), 0, 0
    for at, size in enumerate(sizes):
        if at > start and total + size > PART_BYTES:
            tasks.append(numbers[start:at])
            start, total = at, 0
        total += size
    return [*tasks, numbers[start:]]


def detected(source: FileSource, columns: Columns, rules: Rules) -> tuple[Rules, tuple[int, int]]:
    """The rules with the unit of time, and where the batch begins in which it was detected."""
    if rules.unit != AUTO:
        return rules, (0, 0)
    with kept_warnings():  # the tasks tell
        for at, file in enumerate(source.files):
            for parse in source.batches_of(file, columns, _no_progress, PartitionColumns()):
                batch = parse()
                if (found := rules.with_unit_of(batch)).unit != AUTO:
                    logger.info("log.timestamp is read as %s", found.unit)
                    return found, (at, int(batch.positions[0]) if len(batch) else 0)
    return rules, (0, 0)


def _accounted(files: FileReading, sizes: dict[InputFile, int], reading: LogReading) -> ReadPieces:
    """Add up the reports, and say what the local reader says about files."""
    n_batches, accepted, kinds = Counter[int](), list[int](), set[bytes]()
    contradicted, done, total = False, 0, sum(sizes.values())
    for number, piece in enumerate(files.pieces):
        report = files.reported(number)
        for facts in report.facts:
            reading.account.add(facts)
        for warning in report.warnings:
            if not (CONTRADICTED in warning and contradicted):
                logger.warning("%s", warning)
            contradicted |= CONTRADICTED in warning
        accepted.append(report.n_accepted)
        kinds.update(report.kinds)
        n_batches[piece.file] += report.n_batches
        if report.digest:
            files.source.know_digests({piece.path: report.digest})
        if piece.is_first:
            _tell_changed(piece.path, sizes[piece.path])
            reading.progress("read", done := done + sizes[piece.path], total)
    files.source.tell_empty([file for at, file in enumerate(files.source.files) if not n_batches[at]])
    return ReadPieces.of(accepted, kinds)


def _tell_changed(file: InputFile, size: int) -> None:
    if size_of(file) != size:
        logger.warning("%s: had %d bytes and has %d after it was read", file, size, size_of(file))


def _check_seen(path: InputFile) -> None:
    """Raise DataError if this executor does not have a file that the driver found."""
    if isinstance(path, Path) and not path.exists():
        raise DataError(
            f"{path}: an executor on {socket.gethostname()} does not see it; every executor needs the files of the "
            "log at the same path, or read them from an object store (docs/spark.md)"
        )


def _no_progress(position: float) -> None:
    """Progress that is not shown."""
