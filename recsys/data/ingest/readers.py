"""Readers: a source of events to Interactions, with every row counted as accepted, refused, merged or ignored."""

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from recsys.config import LogSchema
from recsys.data.ingest.accounting import Quarantine, RowCounts
from recsys.data.ingest.assembly import InteractionsBuilder
from recsys.data.ingest.log_account import LogAccount
from recsys.data.ingest.log_ends import LogEnds
from recsys.data.ingest.row_checks import CheckedRows, Rules, check_rows
from recsys.data.ingest.source import Batches, Columns, Parse, Source
from recsys.data.ingest.table_source import source_of
from recsys.data.ingest.timestamps import AUTO
from recsys.data.interactions import Interactions
from recsys.data.pairs import first_of_equal_rows
from recsys.forgotten import NOBODY, Forgotten
from recsys.map_ordered import map_ordered
from recsys.progress import Progress, silent

logger = logging.getLogger(__name__)


def read_log(
    source: Source,
    log: LogSchema,
    *,
    deduplicate: bool = False,
    quarantine: Path | None = None,
    now: int | None = None,
    ends: LogEnds | None = None,
    forgotten: Forgotten = NOBODY,
    progress: Progress = silent,
) -> tuple[Interactions, RowCounts]:
    """Read the events of `source`, whose columns mean what `log` says.

    `deduplicate`: rows equal in user, item, event and time are merged into the first. `quarantine`: file to
    write refused rows to, up to `log.quarantine_rows` of them. `now`: UTC seconds, by default the current time; rows
    later than `log.max_future` after it are refused. `progress` is called with the amount read.
    `ends`: gets the accepted rows with the oldest and the newest time. `forgotten`: users whose rows, up to when they
    were forgotten, are ignored, counted as "forgotten", and never written to the quarantine.
    Returns the accepted events in the order of the source, and the counts of rows. No row is held as a Python object:
    ids are dictionary-coded while they are parsed.
    Raises DataError if the source cannot be read or lacks a column, and if no row is accepted; StorageError if the
    quarantine cannot be written; TooManyRefusedError
    if more than `log.max_refused_share` of the rows are refused.
    """
    started = time.monotonic()
    builder = InteractionsBuilder()
    with Quarantine(quarantine, limit=log.quarantine_rows, forgotten=forgotten) as refused:
        account = LogAccount(refused, ends)
        for rows in read_batches(source, log, now=now, forgotten=forgotten, progress=progress):
            builder.add(rows)
            account.add(rows.facts)
    counts = account.counts(source.description, log)
    events, counts = _merged(builder.finish(), counts) if deduplicate else (builder.finish(), counts)
    account.tell(source.description, counts, seconds=time.monotonic() - started)
    return events, counts


def read_frame(
    frame: object,
    log: LogSchema,
    *,
    deduplicate: bool = False,
    quarantine: Path | None = None,
    now: int | None = None,
) -> tuple[Interactions, RowCounts]:
    """Read a data frame as `read_log` does any source. Rows are numbered from 1, by position.

    `frame`: a pandas DataFrame, a pyarrow Table or RecordBatch, or any object with `__arrow_c_stream__`, such as a
    polars DataFrame. Raises DataError for anything else, and for a column of a type that cannot be read.
    """
    return read_log(source_of(frame), log, deduplicate=deduplicate, quarantine=quarantine, now=now)


def read_batches(
    source: Source,
    log: LogSchema,
    *,
    now: int | None = None,
    forgotten: Forgotten = NOBODY,
    progress: Progress = silent,
) -> Iterator[CheckedRows]:
    """The checked rows of `source`, batch by batch, in its order. Arguments and errors are those of `read_log`."""
    rules = Rules.of(log, now=int(time.time()) if now is None else now, forgotten=forgotten)
    yield from _checked(source.batches(Columns.of(log), progress=progress), rules)


def _checked(batches: Batches, rules: Rules) -> Iterator[CheckedRows]:
    """Batches are checked one by one until the unit of time is detected, then in threads."""
    while rules.unit == AUTO and (parse := next(batches, None)) is not None:
        batch = parse()
        rules = rules.with_unit_of(batch)
        if rules.unit != AUTO:
            logger.info("log.timestamp is read as %s", rules.unit)
        yield check_rows(batch, rules)
    yield from map_ordered(partial(_parse_and_check, rules), batches)


def _parse_and_check(rules: Rules, parse: Parse) -> CheckedRows:
    return check_rows(parse(), rules)


def _merged(events: Interactions, counts: RowCounts) -> tuple[Interactions, RowCounts]:
    first = first_of_equal_rows(events)
    accepted = int(first.sum())
    merged = len(first) - accepted
    return (
        events.select(first) if merged else events,
        replace(counts, accepted=accepted, merged=merged),
    )
