"""prepare on Spark: the log is read and cleaned in tasks, and written in the form of every job, beside its blocks."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.spark.scratch import scratch_of
from pipelines.spark.weighing import Log, weigh
from pipelines.steps.exclusion import NOTHING, Excluded, read_catalogue, with_excluded
from pipelines.steps.inputs import Snapshot, sources_of
from pipelines.steps.prepare import (
    absent_ignored_kinds,
    file_counts,
    increment_of,
    incremental_sources,
    joined,
    stray_times,
    warn,
    with_events,
)
from pipelines.steps.store import open_store
from pipelines.steps.summaries import Fingerprints, PrepareSummary
from pipelines.steps.workspace import Workspace
from recsys.data.event_weights import EventWeights
from recsys.data.ingest.accounting import RowCounts
from recsys.data.ingest.log_ends import LogEnds
from recsys.data.ingest.source import Source
from recsys.data.profile import profile_of
from recsys.forgotten import Forgotten, read_forgotten
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress
from recsys.spark.catalogue_table import in_session
from recsys.spark.event_log import EventLog, read_events
from recsys.spark.session import open_session
from recsys.spark.whole_files import remove_unfinished

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def prepare(config: PipelineConfig, workspace: Workspace, *, progress: Progress) -> PrepareSummary:
    """Read the catalogue and the log; write events, the matrix of all of them in both forms, and the items."""
    began_at = datetime.now(UTC).isoformat()
    EventWeights.of(config.log, config.prepare)  # raises if they contradict each other, before anything is read
    forgotten = read_forgotten(open_store(config).store)  # after the time, so that nobody falls between the two
    sources = in_session(open_session(config.compute), sources_of(config))
    inputs = Snapshot.of(incremental_sources(sources, config, workspace, forgotten))
    with workspace.output("prepare", config) as output, scratch_of("prepare", config) as scratch:
        catalogue, excluded = (
            (None, NOTHING) if config.items is None else read_catalogue(config.items, inputs.sources["catalogue"])
        )
        job = _Job(open_session(config.compute), config, output.folder, scratch, forgotten, progress)
        holdout_rows = _read_holdout(job, inputs, workspace, excluded)
        ends = LogEnds()
        log = job.read(with_events(inputs), "events", workspace.quarantine, excluded, ends)
        warn(absent_ignored_kinds(config.log, log.rows, log.files.event_names))
        source, newest = inputs.sources["log"], None if log.span is None else log.span.last
        weighed = Log(log.files, newest, log.since)
        cleaning, n_items = weigh(job.spark, config, weighed, catalogue, folder=output.folder, scratch=scratch)
        profile = profile_of(log.facts, log.rows, catalogue, entries=cleaning.entries, newest_event=newest)
        output.summary = PrepareSummary(
            rows=log.rows,
            cleaning=with_excluded(cleaning, n_events=log.n_excluded, n_people=log.n_only_excluded),
            items_without_events=n_items - cleaning.n_items,
            fingerprints=Fingerprints(**{what: each.fingerprint() for what, each in inputs.sources.items()}),
            newest_event=newest,
            profile=profile,
            catalogue=joined(config.items, catalogue, excluded, log.facts),
            holdout_rows=holdout_rows,
            stray_times=stray_times(log.span, ends),
            began_at=began_at,
            files=file_counts(source),
            increment=increment_of(source),
        )
        remove_unfinished(output.folder)
        output.inputs.update(output.summary.fingerprints.model_dump())
        inputs.save(output.folder)
    return output.summary


@dataclass(frozen=True, eq=False)
class _Job:
    spark: "SparkSession"
    config: PipelineConfig
    folder: Path
    scratch: Path
    forgotten: Forgotten
    progress: Progress

    def read(
        self, source: Source, name: str, quarantine: Path, excluded: Excluded, ends: LogEnds | None = None
    ) -> EventLog:
        """Read a log, and write its events into the folder `name`."""
        return read_events(
            self.spark,
            source,
            self.config.log,
            self.config.prepare,
            folder=self.folder / name,
            scratch=self.scratch / name,
            block_entries=self.config.compute.block_entries,
            quarantine=quarantine,
            excluded=excluded.ids,
            forgotten=self.forgotten,
            progress=self.progress,
            ends=ends,
        )


def _read_holdout(job: _Job, inputs: Snapshot, workspace: Workspace, excluded: Excluded) -> RowCounts | None:
    """Write the events of a given holdout, without those of excluded items; its rows, None if there is none."""
    if (given := inputs.sources.get("holdout")) is None:
        return None
    return job.read(given, "holdout", workspace.quarantine.with_stem("quarantine-holdout"), excluded).rows
