"""prepare: the log and the catalogue, read once, checked, and written as arrays."""

import logging
from datetime import UTC, datetime
from pathlib import Path

from pipelines.steps.exclusion import NOTHING, Excluded, counted, read_catalogue
from pipelines.steps.inputs import Snapshot, sources_of
from pipelines.steps.store import open_store
from pipelines.steps.summaries import CatalogueSummary, Fingerprints, IncrementSummary, LogFileCounts, PrepareSummary
from pipelines.steps.training_data import weigh_events
from pipelines.steps.workspace import Workspace
from recsys.config import ItemsConfig, LogSchema
from recsys.data.catalogue_join import join_items
from recsys.data.event_facts import EventFacts
from recsys.data.event_weights import EventWeights
from recsys.data.id_map import IdMap
from recsys.data.ingest.accounting import RowCounts
from recsys.data.ingest.configured import items_input
from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.incremental_source import IncrementalSource
from recsys.data.ingest.input import Input
from recsys.data.ingest.joined_source import JoinedSource
from recsys.data.ingest.log_ends import LogEnds
from recsys.data.ingest.readers import read_log
from recsys.data.ingest.source import Columns, Source
from recsys.data.ingest.sql_source import SqlSource
from recsys.data.interactions import Interactions
from recsys.data.items import Items
from recsys.data.log_span import LogSpan
from recsys.data.profile import profile_log
from recsys.evaluation.provenance import StrayTimes
from recsys.forgotten import Forgotten, read_forgotten
from recsys.memory import give_back
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress
from recsys.suggestions import nearest_name

log = logging.getLogger(__name__)


def prepare(config: PipelineConfig, workspace: Workspace, *, progress: Progress) -> PrepareSummary:
    """Read the catalogue and the log; write events, the matrix of all of them, and the items.

    A given holdout and the catalogue are read before the log, so that what is wrong with them shows early.
    """
    began_at = datetime.now(UTC).isoformat()
    EventWeights.of(config.log, config.prepare)  # raises if they contradict each other, before anything is read
    forgotten = read_forgotten(open_store(config).store)  # after the time, so that nobody falls between the two
    inputs = Snapshot.of(incremental_sources(sources_of(config), config, workspace, forgotten))
    source = inputs.sources["log"]
    with workspace.output("prepare", config) as output:
        catalogue, excluded = (
            (None, NOTHING) if config.items is None else read_catalogue(config.items, inputs.sources["catalogue"])
        )
        holdout_rows = _read_holdout(inputs, config, workspace, output.folder, excluded, forgotten, progress)
        ends = LogEnds()
        accepted, rows = _read(
            with_events(inputs),
            config,
            quarantine=workspace.quarantine,
            ends=ends,
            forgotten=forgotten,
            progress=progress,
        )
        events = excluded.removed_from(accepted)
        span = None if accepted.timestamp is None else LogSpan.of(accepted.timestamp)
        newest = None if span is None else span.last
        data = weigh_events(events, config, newest=newest, catalogue=catalogue)
        cleaning = counted(data.cleaning, before=accepted, after=events)
        events.save(output.folder / "events")
        warn(absent_ignored_kinds(config.log, rows, accepted.event_names))
        data.save(output.folder)
        output.summary = PrepareSummary(
            rows=rows,
            cleaning=cleaning,
            items_without_events=data.matrix.n_items - cleaning.n_items,
            fingerprints=Fingerprints(**{what: each.fingerprint() for what, each in inputs.sources.items()}),
            newest_event=newest,
            profile=profile_log(events, rows, catalogue, entries=cleaning.entries, newest_event=newest),
            catalogue=joined(config.items, catalogue, excluded, EventFacts.of(events, newest=None)),
            holdout_rows=holdout_rows,
            stray_times=stray_times(span, ends),
            began_at=began_at,
            files=file_counts(source),
            increment=increment_of(source),
        )
        output.inputs.update(output.summary.fingerprints.model_dump())
        inputs.save(output.folder)
    return output.summary


def incremental_sources(
    sources: dict[str, Input], config: PipelineConfig, workspace: Workspace, forgotten: Forgotten
) -> dict[str, Input]:
    """The sources; a log of `log.incremental` as one that keeps its rows in the workspace."""
    if not config.log.incremental or not isinstance(source := sources["log"], SqlSource):
        return sources
    incremental = IncrementalSource.of(source, config.log, workspace.kept, full=workspace.full, forgotten=forgotten)
    incremental.check(Columns.of(config.log))
    return sources | {"log": incremental}


def with_events(inputs: Snapshot) -> Source:
    """The log, and after it the events of an event store."""
    events = inputs.sources.get("events")
    return inputs.sources["log"] if events is None else JoinedSource((inputs.sources["log"], events))


def increment_of(source: Source) -> IncrementSummary | None:
    """None of a log that is read as a whole every night."""
    if not isinstance(source, IncrementalSource) or (found := source.increment) is None:
        return None
    return IncrementSummary(since=found.since, kept=found.kept, fetched=found.fetched, replaced=found.replaced)


def file_counts(source: Source) -> LogFileCounts | None:
    """None of a log that is no files."""
    if not isinstance(source, FileSource):
        return None
    return LogFileCounts(read=len(source.files), without_rows=len(source.without_rows), repeated=source.n_repeated)


def _read_holdout(
    inputs: Snapshot,
    config: PipelineConfig,
    workspace: Workspace,
    folder: Path,
    excluded: Excluded,
    forgotten: Forgotten,
    progress: Progress,
) -> RowCounts | None:
    """Write the events of a given holdout, without those of excluded items; its rows, None if there is none."""
    if (given := inputs.sources.get("holdout")) is None:
        return None
    quarantine = workspace.quarantine.with_stem("quarantine-holdout")
    holdout, rows = _read(given, config, quarantine=quarantine, forgotten=forgotten, progress=progress)
    excluded.removed_from(holdout).save(folder / "holdout")
    return rows


def stray_times(span: LogSpan | None, ends: LogEnds) -> StrayTimes | None:
    """The events outside of `span`, with the farthest rows; None if there are none, or the log has no times."""
    if span is None or not (span.n_before or span.n_after):
        return None
    oldest = ends.oldest if span.n_before else None
    newest = ends.newest if span.n_after else None
    return StrayTimes(
        n_before=span.n_before,
        n_after=span.n_after,
        oldest=oldest and oldest.time,
        oldest_row=oldest and oldest.place,
        newest=newest and newest.time,
        newest_row=newest and newest.place,
    )


def joined(
    config: ItemsConfig | None, catalogue: Items | None, excluded: Excluded, events: EventFacts
) -> CatalogueSummary | None:
    """How catalogue and log fit; what does not is logged."""
    if config is None or catalogue is None:
        return None
    join = join_items(catalogue.ids, events.items, events.per_item)
    foreign = foreign_catalogue(config, catalogue, events.items)
    for sentence in [foreign] if foreign and join.look_alikes is None else join.warnings():
        warn(sentence)
    if config.exclude is not None and not len(excluded.ids):
        warn("items.exclude: no item of the catalogue passes")
    return CatalogueSummary(join=join, attributes=dict(catalogue.facts), n_excluded=len(excluded.ids))


def foreign_catalogue(config: ItemsConfig, catalogue: Items, items: IdMap) -> str | None:
    """A sentence if no item of the catalogue is in the log, because its ids are probably from another column."""
    if items.encode(catalogue.ids.ids)[1].any():
        return None
    shown = ", ".join(catalogue.ids.decode(range(min(3, len(catalogue.ids)))))
    origin = ", ".join(map(str, config.path)) or items_input(config).description
    return (
        f"{origin}: none of its {len(catalogue.ids)} items is in the log; its ids, such as {shown}, are from column"
        f" {config.id!r} (items.id)"
    )


def absent_ignored_kinds(log: LogSchema, rows: RowCounts, names: tuple[str, ...]) -> str | None:
    """A sentence if no row is of a kind in `log.ignore_events`, which may be a misspelling, and every kind counts."""
    absent = [kind for kind in log.ignore_events if kind not in rows.ignored]
    if log.event_weights or not absent:
        return None
    nearest = nearest_name(absent[0], names)
    hint = f"did you mean {nearest!r}?" if nearest else f"its kinds are {', '.join(map(repr, names))}"
    return f"log.ignore_events: the log has no event of kind {absent[0]!r}; {hint}"


def warn(sentence: str | None) -> None:
    """Log a sentence as a warning, if there is one."""
    if sentence:
        log.warning("%s", sentence)


def _read(
    source: Source,
    config: PipelineConfig,
    *,
    quarantine: Path,
    forgotten: Forgotten,
    progress: Progress,
    ends: LogEnds | None = None,
) -> tuple[Interactions, RowCounts]:
    deduplicate = config.prepare.deduplicate
    read = read_log(
        source,
        config.log,
        deduplicate=deduplicate,
        quarantine=quarantine,
        ends=ends,
        forgotten=forgotten,
        progress=progress,
    )
    give_back()  # the parsed batches, before cleaning needs room
    return read
