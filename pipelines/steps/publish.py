"""publish: check the gates, write the report, seal the version, and at last move the pointer."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np

from pipelines.steps.content import published_space
from pipelines.steps.night import read_course, this_night
from pipelines.steps.pending_changes import tell_pending
from pipelines.steps.report import (
    Evidence,
    NightEvidence,
    as_measured,
    compose_report,
    load_evidence,
    portable_settings,
)
from pipelines.steps.space import night_space
from pipelines.steps.store import open_store, store_folder
from pipelines.steps.summaries import (
    EvaluateSummary,
    IndexStepSummary,
    PrepareSummary,
    PublishSummary,
    TrainSummary,
)
from pipelines.steps.training_data import POPULARITY, cleaning_of, training_folder
from pipelines.steps.workspace import Workspace
from recsys.artifacts.bundle import Pages, read_record, seal_bundle
from recsys.artifacts.contents import Contents
from recsys.artifacts.files import replace_durably
from recsys.artifacts.folded_users import FoldedUsers
from recsys.artifacts.manifest import NEWEST_EVENT, REPORTS, Manifest, VersionFacts, catalogue_read_at
from recsys.artifacts.pruning import prune
from recsys.artifacts.registry import Registry
from recsys.artifacts.rewriting import kept_pages, publish_without_forgotten
from recsys.artifacts.signature import SigningKey
from recsys.data.arrays import Floats
from recsys.data.items import Items
from recsys.data.matrix import InteractionMatrix
from recsys.data.seen import load_seen
from recsys.engine.rehearsal import check_serves
from recsys.errors import ArtifactError, GateError
from recsys.evaluation.kept_nights import Comparable, Course, find_comparable
from recsys.evaluation.night_changes import changes_since
from recsys.evaluation.night_gates import check_night
from recsys.evaluation.outcome import Statement
from recsys.evaluation.reporting.pages import render_html, render_markdown
from recsys.evaluation.reporting.report import Report
from recsys.evaluation.reporting.report_plots import report_plots
from recsys.evaluation.serving_comparison import ServingVersion
from recsys.models.registry import load_model
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress
from recsys.retrieval.index_files import read_index
from recsys.storage import storage_errors

log = logging.getLogger(__name__)


def publish(
    config: PipelineConfig, workspace: Workspace, *, progress: Progress, accepted: Sequence[str] = ()
) -> PublishSummary:
    """Seal what the steps before made, and let it serve if every gate passes and no other version is held.

    `accepted`: names of gates that may refuse for once. Raises GateError if another one refuses; the report says why,
    and the serving version stays. Raises SupersededError if another job publishes meanwhile.
    """
    workspace.require("index", config)
    config = as_measured(config, workspace)
    registry = open_store(config, check=check_serves, key=SigningKey.of(), progress=progress)
    parent = registry.current()  # what the gates compare with, which must serve until the pointer moves
    evidence = load_evidence(config, workspace)
    night = _night(config, workspace, registry)
    space = night_space(config, workspace, progress=progress)
    report = compose_report(config, workspace, evidence, night, space=space, accepted=accepted)
    plots = report_plots(report)
    # Also for a refused version; written again once the version has its name.
    _write(_pages(report, plots), workspace)
    if refusals := [gate for gate in report.judgement.gates if gate.refuses]:
        details, names = zip(*((gate.detail, gate.name) for gate in refusals), strict=True)
        raise GateError(f"not published: {'; '.join(details)}. The report is in {workspace.report_html}", names)
    with workspace.output("publish", config) as output:
        progress("seal the version", 0, 1)
        pages = partial(_pages, report, plots)
        sealed, serving = _seal(config, workspace, report, evidence, pages, night, space.places), registry.current()
        _write(pages(sealed.version), workspace)
        items = InteractionMatrix.load(training_folder(workspace) / "matrix").items
        tell_pending(registry.store, items, read_at=catalogue_read_at(sealed))
        version, is_published = publish_without_forgotten(
            registry, sealed.version, parent=parent, key=SigningKey.of()
        )
        if version != sealed.version:
            _write(kept_pages(registry.path(version)), workspace)
        held = None if is_published else registry.held()
        progress("seal the version", 1, 1)
        output.summary = PublishSummary(
            version=version,
            verdict=report.verdict or "",
            unchanged=version == serving,
            held=held,
            outcome=report.outcome if held is None else report.outcome.noting(_held(held)),
            changed_inputs=workspace.changed_inputs,
            counts=_counts(registry.manifest(version)),
            pruned=_pruned(registry, config.publish.keep),
        )
    return output.summary


def _counts(manifest: Manifest) -> dict[str, int]:
    return {name: n for name, n in manifest.counts.items() if isinstance(n, int)}


def _held(version: str) -> Statement:
    """What to know if another version is held."""
    return Statement(
        light="attention",
        text=f"{version} is held and serves on",
        remedy="`recsys rollback --store STORE --release` ends the hold",
    )


def _pages(report: Report, plots: Mapping[str, str | None], version: str | None = None) -> dict[str, str]:
    """The report of `version` in every format, by the names of REPORTS."""
    report = replace(report, version=version)
    rendered = {"json": report.to_json(), "md": render_markdown(report), "html": render_html(report, plots)}
    return {REPORTS[kind]: text for kind, text in rendered.items()}


def _write(pages: Mapping[str, str], workspace: Workspace) -> None:
    with storage_errors(workspace.root, doing="while publish wrote the report"):
        for name, text in pages.items():
            replace_durably(workspace.root / name, text.encode())


def _pruned(registry: Registry, keep: int | None) -> tuple[str, ...]:
    """The versions that were removed. A store that cannot be pruned is a warning: the new version serves."""
    try:
        return () if keep is None else prune(registry, keep).removed
    except ArtifactError as error:
        log.warning("publish.keep: %s", error)
        return ()


def _night(config: PipelineConfig, workspace: Workspace, registry: Registry) -> NightEvidence:
    """The night's gates, and the version that its quality is compared with."""
    night, course = this_night(workspace, registry), read_course(registry)
    gates = check_night(night, course, config.publish.limits)
    if course is None:
        return NightEvidence(night, gates)
    serving, log_differs = _compared(registry, course, find_comparable(night, course))
    return NightEvidence(night, gates, serving, log_differs, changes_since(course.serving, night))


def _compared(registry: Registry, course: Course, found: Comparable) -> tuple[ServingVersion, str | None]:
    """The version to compare quality with, and why the logs are too different if there is none.

    Raises ArtifactError if the serving version is damaged; an earlier one that is damaged is not compared.
    """
    serving = course.serving.version
    if found.night is course.serving:
        return _stored(registry, serving), None
    try:
        if found.night is not None:
            return replace(_stored(registry, found.night.version), because=found.because), None
    except ArtifactError as error:
        log.warning("%s; quality is not compared with it", error)
    return _stored(registry, serving), found.because


def _stored(registry: Registry, version: str) -> ServingVersion:
    manifest, record = read_record(registry.path(version))
    evaluate, log_section = (manifest.config.get(name) for name in ("evaluate", "log"))
    measured = evaluate if isinstance(evaluate, dict) else {}
    if isinstance(log_section, dict) and "seen_events" in log_section:
        measured = {**measured, "seen_events": log_section["seen_events"]}
    means = {name: value if isinstance(value, float | int) else None for name, value in manifest.metrics.items()}
    return ServingVersion(version, means, record, measured)


def _folded_in(data: Path) -> FoldedUsers | None:
    """The users whom training left out, None if it left out nobody. `data`: the folder of the training data."""
    folder = data / "folded_in"
    matrix = InteractionMatrix.load(folder)
    return FoldedUsers(matrix.users, matrix.csr, load_seen(folder, matrix.csr.shape)) if matrix.n_users else None


def _seal(
    config: PipelineConfig,
    workspace: Workspace,
    report: Report,
    evidence: Evidence,
    pages: Pages,
    night: NightEvidence,
    places: Floats | None,
) -> Manifest:
    data, indexed = training_folder(workspace), workspace.folder("index")
    model = load_model(workspace.folder("train") / "model")
    matrix = InteractionMatrix.load(data / "matrix")
    shape = (matrix.n_items, model.embeddings.factors)
    prepare, trained, cleaning = (
        workspace.summary(PrepareSummary),
        workspace.summary(TrainSummary),
        cleaning_of(workspace),
    )
    cold = workspace.summary(EvaluateSummary).cold_start
    return seal_bundle(
        store_folder(config),
        Contents(
            users=matrix.users,
            items=Items.load(data / "items.arrow", matrix.items),
            model=model,
            history=matrix.csr,
            seen=load_seen(data, matrix.csr.shape),
            folded_in=_folded_in(data),
            content=published_space(config, workspace, matrix.items),
            map=places,
            popularity=np.load(data / POPULARITY, allow_pickle=False),
            index=read_index(indexed, "index", shape),
            similar=read_index(indexed, "similar", shape),
        ),
        VersionFacts(
            config=portable_settings(config),
            log={
                "fingerprint": prepare.fingerprints.log,
                NEWEST_EVENT: prepare.newest_event,
                **prepare.rows.to_dict(),
            },
            counts={
                "users": matrix.n_users,
                "folded_in_users": cleaning.n_folded_in,
                "fallback_users": cleaning.n_bots + cleaning.n_without_history,
                "items": matrix.n_items,
                "entries": int(matrix.csr.nnz),
            },
            metrics=workspace.summary(EvaluateSummary).metrics[config.model.algorithm],
            gates=[asdict(gate) for gate in report.judgement.gates],
            verdict=report.verdict or "",
            index=workspace.summary(IndexStepSummary).model_dump(mode="json"),
            training=trained.training,
            neighbours=trained.neighbours,
            cold_start=None if cold is None else cold.settings,
            profile=night.night.profile,
            gone_users=night.night.gone_users,
            catalogue_read_at=prepare.began_at,
            accepted=[gate.name for gate in report.judgement.gates if gate.accepted],
        ),
        record=evidence.record,
        pages=pages,
        key=SigningKey.of(),
    )
