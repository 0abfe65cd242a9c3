"""The evaluation report, put together from what the steps left in the workspace."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import JsonValue

from pipelines.steps.inputs import READ_AGAIN
from pipelines.steps.online import online_days
from pipelines.steps.space import NightSpace
from pipelines.steps.summaries import EncodeSummary, EvaluateSummary, IndexStepSummary, PrepareSummary, TrainSummary
from pipelines.steps.training_data import cleaning_of, training_folder
from pipelines.steps.workspace import CONTENT_SECTIONS, Workspace
from recsys.address import Address
from recsys.config.serve import ServeConfig
from recsys.content.config import EncoderConfig
from recsys.data.id_map import IdMap
from recsys.data.ingest.configured import whole_log
from recsys.data.ingest.input_files import InputFile
from recsys.data.items import Items
from recsys.errors import DataError
from recsys.evaluation.acceptance import accept
from recsys.evaluation.definitions import split_name
from recsys.evaluation.examples import regressions, show_users, spread_rows
from recsys.evaluation.gates import Gate, check_gates
from recsys.evaluation.kept_nights import Night
from recsys.evaluation.outcome import Outcome, Statement
from recsys.evaluation.provenance import LogSource, Provenance, SplitSummary
from recsys.evaluation.record import Record
from recsys.evaluation.reporting.report import Details, Judgement, Report, build_report
from recsys.evaluation.reporting.report_ids import named
from recsys.evaluation.results import Cohort, Evaluation
from recsys.evaluation.serving_comparison import (
    MIN_SHARED_USERS,
    ServingComparison,
    ServingVersion,
    compare_with_serving,
    log_differs,
)
from recsys.evaluation.slices import slices_of
from recsys.pipeline_config import PipelineConfig

_EXAMPLES = 5


@dataclass(frozen=True, eq=False)
class Evidence:
    """What `evaluate` left: the evaluations, the model's first, and their users. `record`: what a version keeps."""

    evaluations: tuple[Evaluation, ...]
    cohort: Cohort
    record: Record


@dataclass(frozen=True, eq=False)
class NightEvidence:
    """What is known of the night apart from the models: its profile, and its gates before any is accepted.

    `serving`: the version that its quality is compared with, None if none serves. `log_differs`: why its log is not
    like tonight's, and no other kept version's is; None if it is compared. `changes`: how log and catalogue differ
    from those of the serving version; None if none serves.
    """

    night: Night
    gates: tuple[Gate, ...]
    serving: ServingVersion | None = None
    log_differs: str | None = None
    changes: Statement | None = None


def load_evidence(config: PipelineConfig, workspace: Workspace) -> Evidence:
    """Read it from the workspace. Raises ArtifactError if it is missing or damaged."""
    folder = workspace.folder("evaluate")
    names = workspace.summary(EvaluateSummary).means
    evaluations = tuple(Evaluation.load(folder / f"{name}.arrow") for name in names)
    cohort = Cohort.load(folder / "cohort")
    return Evidence(evaluations, cohort, Record.of(evaluations[0], cohort))


def compose_report(
    config: PipelineConfig,
    workspace: Workspace,
    evidence: Evidence,
    night: NightEvidence,
    *,
    space: NightSpace,
    accepted: Sequence[str] = (),
) -> Report:
    """The report with its gates judged. `accepted`: names of the gates that are accepted on purpose."""
    judgement = _judge(config, evidence, night, accepted)
    provenance = _provenance(config, workspace)
    return build_report(
        evidence.evaluations,
        provenance,
        metric=config.publish.metric,
        evaluate=config.evaluate,
        judgement=judgement,
        details=replace(
            _details(config, evidence, _catalogue(workspace), provenance.split, judgement.serving),
            space=space.reading,
            map=space.shown,
            online=online_days(config),
        ),
        notes=tuple(_notes(config, workspace, night)),
    )


def _notes(config: PipelineConfig, workspace: Workspace, night: NightEvidence) -> Iterator[Statement]:
    """What else the night should say."""
    if night.changes is not None:
        yield night.changes
    learned = workspace.summary(TrainSummary).neighbours
    if learned is not None and (nothing := learned.nothing_came()) is not None:
        yield Statement(light="attention", text=nothing, remedy="set model.neighbours = 0 if the log is such")
    catalogue = workspace.summary(PrepareSummary).catalogue
    for sentence in () if catalogue is None else catalogue.warnings():
        yield Statement(light="attention", text=sentence)
    for change in workspace.changed_inputs:
        yield Statement(light="attention", text=change, remedy=READ_AGAIN)
    for step, texts in workspace.warnings(config).items():
        warnings = "one warning" if len(texts) == 1 else f"{len(texts)} warnings"
        yield Statement(light="open", text=f"{warnings} of {step}, listed in the report")


def read_outcome(workspace: Workspace) -> Outcome:
    """The outcome in the report that publish wrote, also if it refused. Raises DataError if there is none."""
    try:
        return Outcome.model_validate(json.loads(workspace.report_json.read_bytes())["outcome"])
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{workspace.report_json}: holds no outcome: {error}") from error


def _judge(config: PipelineConfig, evidence: Evidence, night: NightEvidence, accepted: Sequence[str]) -> Judgement:
    comparison = _compared(config, evidence, night)
    gates = check_gates(
        model=evidence.evaluations[0],
        popular=next((each for each in evidence.evaluations if each.name == "popular"), None),
        serving=comparison,
        publish=config.publish,
        evaluate=config.evaluate,
    )
    return Judgement(accept((*gates, *night.gates), accepted), comparison)


def _compared(config: PipelineConfig, evidence: Evidence, night: NightEvidence) -> ServingComparison | None:
    if night.serving is None:
        return None
    if night.log_differs is not None:
        return log_differs(evidence.record, night.serving, night.log_differs)
    return compare_with_serving(
        evidence.record,
        night.serving,
        config.evaluate,
        min_users=max(MIN_SHARED_USERS, config.publish.min_users),
        seen_events=config.log.seen_events,
    )


def _details(
    config: PipelineConfig, evidence: Evidence, items: Items, split: SplitSummary, serving: ServingComparison | None
) -> Details:
    evaluations, cohort, metric = evidence.evaluations, evidence.cohort, config.publish.metric
    details = Details(
        slices=slices_of(evaluations, cohort, k=split_name(metric)[1], split=split, evaluate=config.evaluate),
        examples=tuple(show_users(spread_rows(len(cohort.users), _EXAMPLES), cohort, evaluations, items)),
        regressed=regressions(evaluations, cohort, items, metric=metric, serving=serving),
    )
    return named(details, config.publish.report_ids)


def _provenance(config: PipelineConfig, workspace: Workspace) -> Provenance:
    prepared, evaluated = workspace.summary(PrepareSummary), workspace.summary(EvaluateSummary)
    trained = workspace.summary(TrainSummary)
    return Provenance(
        split=evaluated.split,
        log=LogSource(
            fingerprint=prepared.fingerprints.log,
            files=whole_log(config.log).names,
            newest=prepared.newest_event,
            stray_times=prepared.stray_times,
        ),
        ingest=prepared.rows,
        holdout_ingest=prepared.holdout_rows,
        cleaning=cleaning_of(workspace),
        losses=trained.losses,
        stopping=evaluated.stopping,
        tradeoff=evaluated.tradeoff,
        visitors=evaluated.visitors,
        session_weight=evaluated.session_weight,
        baseline_settings=evaluated.baseline_settings,
        choice=evaluated.choice,
        training=trained.training,
        neighbours=trained.neighbours,
        index=workspace.summary(IndexStepSummary),
        settings=portable_settings(config),
        warnings=workspace.warnings(config),
        cold_start=evaluated.cold_start,
        content=workspace.summary(EncodeSummary).sources if config.content else (),
    )


def _catalogue(workspace: Workspace) -> Items:
    data = training_folder(workspace)
    return Items.load(data / "items.arrow", IdMap.load(data / "matrix" / "items.arrow"))


def as_measured(config: PipelineConfig, workspace: Workspace) -> PipelineConfig:
    """`config` with the length of the holdout and the settings that `evaluate` used.

    Later versions are compared with that, and begin with these settings.
    """
    evaluated = workspace.summary(EvaluateSummary)
    if evaluated.choice is not None:
        config = evaluated.choice.applied(config)
    if (found := evaluated.session_weight) is not None:
        config = config.model_copy(update={"model": found.applied(config.model)})
    if (held := evaluated.split.held_seconds) is None:
        return config
    return config.model_copy(update={"evaluate": config.evaluate.model_copy(update={"holdout": held})})


def portable_settings(config: PipelineConfig) -> dict[str, JsonValue]:
    """The resolved settings as plain values, files by their names: the same on every machine and in every folder.

    Where lists are exported to is left out. Without `[[content]]`, the sections that have no meaning then are left
    out too, so that the version keeps its name.
    """
    tree = config.model_dump(mode="json", exclude={"workspace": True, "publish": {"store"}, "export": True})
    tree["log"] |= _origin(config.log.source, "paths", config.log.paths)
    tree["evaluate"] |= _origin(
        config.evaluate.holdout_source, "holdout_paths", config.evaluate.holdout_paths, prefix="holdout_"
    )
    if config.items is not None:
        tree["items"] |= _origin(config.items.source, "path", config.items.path)
    if config.publish.map == "pca":  # the default: versions keep the names that they had before there were maps
        del tree["publish"]["map"], tree["publish"]["map_items"]
    if config.serve == ServeConfig():  # as for maps
        del tree["serve"]
    tree["content"] = [_by_names(each) for each in config.content]
    return tree if config.content else {name: value for name, value in tree.items() if name not in CONTENT_SECTIONS}


def _origin(
    address: Address | None, key: str, paths: Sequence[InputFile], *, prefix: str = ""
) -> dict[str, JsonValue]:
    """What the rows of a section are from: files by their names, a database without host and login."""
    source = {} if address is None else {f"{prefix}source": address.place.rpartition("/")[2]}
    return {key: [path.name for path in paths], **source}


def _by_names(source: EncoderConfig) -> dict[str, JsonValue]:
    """The settings of one `[[content]]` table, with the names of its files."""
    tree = source.model_dump(mode="json")
    return tree | {name: value.name for name, value in source if isinstance(value, Path)}
