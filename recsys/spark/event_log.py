"""EventLog: a log read on Spark: its events in files, and what the local engine would say of them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from recsys.config import LogSchema, PrepareConfig
from recsys.data.event_facts import EventFacts, silences_of
from recsys.data.ingest.accounting import Quarantine, RowCounts
from recsys.data.ingest.log_account import LogAccount
from recsys.data.ingest.log_ends import LogEnds
from recsys.data.ingest.source import Source
from recsys.data.log_span import LogSpan
from recsys.data.popularity import first_second
from recsys.forgotten import Forgotten
from recsys.progress import Progress
from recsys.spark.accepted_rows import AcceptedRows
from recsys.spark.coding import CodedParts, code_rows
from recsys.spark.event_files import EventFiles
from recsys.spark.finishing import BETWEEN, SINCE, finish_parts
from recsys.spark.log_reading import LogReading
from recsys.spark.reading import read_rows
from recsys.spark.row_coding import AFTER, BEFORE, MERGED, OF_ITEM, OF_KIND, TIMES
from recsys.spark.tallies import Tallies

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True, eq=False)
class EventLog:
    """`files`: the events, without those of excluded items. `rows`: what became of the rows.

    `span`: of all accepted events, None without times. `facts`: of the events in `files`. `n_excluded`: events of
    excluded items, and `n_only_excluded` users who have no others. `since`: when recent popularity begins, UTC
    seconds; 0 without times.
    """

    files: EventFiles
    rows: RowCounts
    span: LogSpan | None
    facts: EventFacts
    n_excluded: int
    n_only_excluded: int
    since: int


def read_events(
    spark: "SparkSession",
    source: Source,
    log: LogSchema,
    prepare: PrepareConfig,
    *,
    folder: Path,
    scratch: Path,
    block_entries: int,
    quarantine: Path,
    excluded: pa.StringArray,
    forgotten: Forgotten,
    progress: Progress,
    ends: LogEnds | None = None,
) -> EventLog:
    """Read `source` as `recsys.data.ingest.readers.read_log` does, and write its events as files into `folder`.

    Files and tables of Spark are read in tasks; another source by the driver, batch by batch. `excluded`: ids of
    items whose events are left out. `scratch`: a folder that executors see too. Other arguments and errors are as of
    `read_log`; ComputeError if Spark fails.
    """
    started, now = time.monotonic(), int(time.time())
    rows = AcceptedRows(scratch / "accepted", log.quarantine_rows)
    with Quarantine(quarantine, limit=log.quarantine_rows, forgotten=forgotten) as refused:
        account = LogAccount(refused, ends)
        read = read_rows(spark, source, LogReading(log, rows, account, now, forgotten, progress))
    counts = account.counts(source.description, log)
    parts = code_rows(
        spark,
        rows,
        read,
        deduplicate=prepare.deduplicate,
        excluded=excluded,
        scratch=scratch / "coded",
        block_entries=block_entries,
    )
    merged = parts.found.total(MERGED)
    counts = replace(counts, accepted=counts.accepted - merged, merged=merged)
    account.tell(source.description, counts, seconds=time.monotonic() - started)
    return _finished(spark, parts, counts, prepare, folder)


def _finished(
    spark: "SparkSession", parts: CodedParts, counts: RowCounts, prepare: PrepareConfig, folder: Path
) -> EventLog:
    span = None if parts.hours is None else LogSpan.of_hours(parts.hours)
    newest = None if span is None else span.last
    thresholds = () if newest is None else _thresholds(parts.found, prepare, newest)
    files, found = finish_parts(spark, parts, folder, newest=newest, thresholds=thresholds)
    before, after = parts.found[BEFORE], parts.found[AFTER]
    return EventLog(
        files=files,
        rows=counts,
        span=span,
        facts=_facts(parts, found, newest),
        n_excluded=int((before.n - after.n).sum()),
        n_only_excluded=int((before.m - after.m).sum()),
        since=_since(parts.found, found, prepare, newest, thresholds),
    )


def _facts(parts: CodedParts, found: Tallies, newest: int | None) -> EventFacts:
    names, n_events = parts.coding.names, parts.found.total(AFTER)
    per_kind = parts.found[OF_KIND].dense(len(names))
    silences = {}
    if newest is not None and names:
        between = found[BETWEEN].dense(len(names))
        silences = silences_of(names, parts.newest_of_kinds, between, newest=newest)
    return EventFacts(
        items=parts.items,
        per_item=parts.found[OF_ITEM].dense(len(parts.items)),
        n_events=n_events,
        n_users=parts.found.total(AFTER, "m"),
        per_kind=dict(zip(names, per_kind.tolist(), strict=True)) if n_events else {},
        silences=silences,
    )


def _thresholds(found: Tallies, prepare: PrepareConfig, newest: int) -> tuple[int, ...]:
    """The seconds at which the window of popularity may begin: it is doubled until it holds enough events."""
    oldest = int(found[TIMES].low.min(initial=newest))
    tried = list[int]()

    def none_after(second: int) -> int:
        tried.append(second)
        return 0

    first_second(prepare.popular_window, now=newest, oldest=oldest, n_events=1, n_after=none_after)
    return tuple(tried)


def _since(
    found: Tallies, finished: Tallies, prepare: PrepareConfig, newest: int | None, thresholds: Sequence[int]
) -> int:
    if newest is None:
        return 0
    after = dict(zip(thresholds, finished[SINCE].dense(len(thresholds)).tolist(), strict=True))
    return first_second(
        prepare.popular_window,
        now=newest,
        oldest=int(found[TIMES].low.min(initial=newest)),
        n_events=found.total(TIMES),
        n_after=after.__getitem__,
    )
