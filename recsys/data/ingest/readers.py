"""Logs to Interactions: files or a data frame, every row accounted for."""

import logging
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from recsys.config import LogConfig
from recsys.data.ingest.accounting import RowCounts
from recsys.data.ingest.deduplication import first_of_alike
from recsys.data.ingest.file_blocks import file_blocks
from recsys.data.ingest.frame_blocks import SOURCE, frame_blocks
from recsys.data.ingest.gathering import Gathered
from recsys.data.ingest.log_files import log_files
from recsys.data.ingest.quarantine import Quarantine
from recsys.data.ingest.raw_rows import Blocks, Parse, Wanted
from recsys.data.ingest.row_checks import CheckedRows, Rules, check_rows
from recsys.data.ingest.timestamps import AUTO
from recsys.data.interactions import Interactions
from recsys.errors import DataError
from recsys.map_ordered import map_ordered
from recsys.progress import Progress, silent

logger = logging.getLogger(__name__)


def read_log(
    log: LogConfig,
    *,
    deduplicate: bool = False,
    quarantine: Path | None = None,
    now: int | None = None,
    progress: Progress = silent,
) -> tuple[Interactions, RowCounts]:
    """Read the files that `log.paths` names, in sorted order.

    `deduplicate`: rows alike in user, item, event and time are merged to the first of them. `quarantine`: file to
    write refused rows to, `log.quarantine_rows` of them at most. `now`: UTC seconds, default the clock's; rows later
    than `log.max_future` after it are refused. `progress` hears bytes of the files on disk.
    Returns the accepted events in the order of the log, and what became of every row. No row is ever held as a
    Python object: ids are dictionary-coded while they are parsed.
    Raises DataError for files that are missing, empty, damaged or lack a column, and where no row is accepted;
    TooManyRefusedError where more than `log.max_refused_share` of the rows are refused.
    """
    files = log_files(log.paths)
    blocks = _blocks_of_all(files, log, progress=progress)
    return _read(blocks, log, _named(files), deduplicate=deduplicate, quarantine=quarantine, now=now)


def read_blocks(log: LogConfig, *, now: int | None = None, progress: Progress = silent) -> Iterator[CheckedRows]:
    """What `read_log` reads, block by block, for whoever counts rows and keeps none. Raises DataError as it does."""
    blocks = _blocks_of_all(log_files(log.paths), log, progress=progress)
    yield from _checked(blocks, Rules.by(log, now=int(time.time()) if now is None else now))


def read_frame(
    frame: pd.DataFrame,
    log: LogConfig,
    *,
    deduplicate: bool = False,
    quarantine: Path | None = None,
    now: int | None = None,
) -> tuple[Interactions, RowCounts]:
    """Read a data frame as `read_log` reads files; `log.paths` is ignored. Rows are numbered from 1, by position."""
    blocks = frame_blocks(frame, Wanted.by(log))
    return _read(blocks, log, SOURCE, deduplicate=deduplicate, quarantine=quarantine, now=now)


def _blocks_of_all(files: Sequence[Path], log: LogConfig, *, progress: Progress) -> Blocks:
    sizes = [file.stat().st_size for file in files]
    for number, file in enumerate(files):
        before, n_blocks = sum(sizes[:number]), 0
        advance = partial(_advance, progress, before, sum(sizes))
        blocks = file_blocks(file, Wanted.by(log), declared=log.format, delimiter=log.delimiter, advance=advance)
        for block in blocks:
            n_blocks += 1
            yield block
        if not n_blocks:
            logger.warning("%s: the file holds no rows", file)


def _advance(progress: Progress, before: int, total: int, position: float) -> None:
    progress("read", before + position, total)


def _named(files: Sequence[Path]) -> str:
    return str(files[0]) if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"


def _read(
    blocks: Blocks, log: LogConfig, source: str, *, deduplicate: bool, quarantine: Path | None, now: int | None
) -> tuple[Interactions, RowCounts]:
    started = time.monotonic()
    rules = Rules.by(log, now=int(time.time()) if now is None else now)
    gathered, n_rows = Gathered(), 0
    with Quarantine(quarantine, limit=log.quarantine_rows) as refused:
        for rows in _checked(blocks, rules):
            gathered.add(rows)
            refused.add(rows.refused)
            n_rows += len(rows.users) + len(rows.refused)
    counts = RowCounts(n_rows, gathered.n_rows, refused.counts)
    if not n_rows:
        raise DataError(f"{source}: holds no rows")
    refused.check(counts, max_share=log.max_refused_share)
    if not counts.accepted:
        raise DataError(f"{source}: all {n_rows:,} rows are refused:\n{refused.summary()}")
    events, counts = _merged(gathered.finish(), counts) if deduplicate else (gathered.finish(), counts)
    _report(source, counts, refused, seconds=time.monotonic() - started)
    return events, counts


def _checked(blocks: Blocks, rules: Rules) -> Iterator[CheckedRows]:
    """The blocks one by one until one has told the unit of time, then in threads."""
    while rules.unit == AUTO and (parse := next(blocks, None)) is not None:
        rows = parse()
        rules = rules.told_by(rows)
        if rules.unit != AUTO:
            logger.info("log.timestamp is read as %s", rules.unit)
        yield check_rows(rows, rules)
    yield from map_ordered(partial(_parse_and_check, parse, rules) for parse in blocks)


def _parse_and_check(parse: Parse, rules: Rules) -> CheckedRows:
    return check_rows(parse(), rules)


def _merged(events: Interactions, counts: RowCounts) -> tuple[Interactions, RowCounts]:
    first = first_of_alike(events)
    accepted = int(first.sum())
    merged = len(first) - accepted
    return (
        events.select(first) if merged else events,
        RowCounts(counts.rows_read, accepted, counts.refused, merged),
    )


def _report(source: str, counts: RowCounts, refused: Quarantine, *, seconds: float) -> None:
    logger.info(
        "%s: %d rows read in %.1f s = %d accepted + %d refused + %d merged",
        source,
        counts.rows_read,
        seconds,
        counts.accepted,
        counts.n_refused,
        counts.merged,
    )
    if counts.n_refused:
        logger.info("%s: refused rows:\n%s", source, refused.summary())
