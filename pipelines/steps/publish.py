"""publish: check the gates, write the report, seal the version, and at last move the pointer."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, replace

import numpy as np

from pipelines.steps.report import compose_report, load_evidence, portable_settings
from pipelines.steps.summaries import (
    EvaluateSummary,
    IndexStepSummary,
    PrepareSummary,
    PublishSummary,
    TrainSummary,
)
from pipelines.steps.workspace import Workspace
from recsys.artifacts.bundle import read_record, seal_bundle
from recsys.artifacts.contents import Contents
from recsys.artifacts.manifest import NEWEST_EVENT, Manifest, VersionFacts
from recsys.artifacts.registry import Registry
from recsys.data.items import Items
from recsys.data.matrix import InteractionMatrix
from recsys.errors import GateError
from recsys.evaluation.record import Record
from recsys.evaluation.reporting.pages import render_html, render_markdown
from recsys.evaluation.reporting.report import Report
from recsys.evaluation.reporting.report_plots import report_plots
from recsys.evaluation.serving_comparison import ServingVersion
from recsys.models.registry import load_model
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress
from recsys.retrieval.index_files import read_index

log = logging.getLogger(__name__)


def publish(config: PipelineConfig, workspace: Workspace, *, progress: Progress) -> PublishSummary:
    """Seal what the steps before made, and let it serve if every gate passes and no other version is held.

    Raises GateError if a gate fails. The report says why, and the serving version stays.
    """
    workspace.require("index", config)
    registry = Registry(config.publish.store)
    evidence = load_evidence(config, workspace)
    report = compose_report(config, workspace, evidence, serving=_serving(registry))
    plots = report_plots(report)
    _write_report(report, plots, workspace)  # also for a refused version; written again once the version has its name
    refusals = [gate.detail for gate in report.judgement.gates if not gate.passed]
    if refusals:
        raise GateError(f"not published: {'; '.join(refusals)}. The report is in {workspace.report_html}")
    with workspace.output("publish", config) as output:
        progress("seal the version", 0, 1)
        version, serving = _seal(config, workspace, report, evidence.record).version, registry.current()
        _write_report(replace(report, version=version), plots, workspace)
        held = None if registry.publish(version) else registry.held()
        progress("seal the version", 1, 1)
        output.summary = PublishSummary(
            version=version, verdict=report.verdict or "", unchanged=version == serving, held=held
        )
    log.info("sealed version=%s held=%s", version, held)
    return output.summary


def _write_report(report: Report, plots: Mapping[str, str | None], workspace: Workspace) -> None:
    workspace.report_json.write_text(report.to_json(), encoding="utf-8")
    workspace.report_markdown.write_text(render_markdown(report), encoding="utf-8")
    workspace.report_html.write_text(render_html(report, plots), encoding="utf-8")


def _serving(registry: Registry) -> ServingVersion | None:
    if (current := registry.current()) is None:
        return None
    manifest, record = read_record(registry.path(current))
    evaluate = manifest.config.get("evaluate")
    means = {name: value if isinstance(value, float | int) else None for name, value in manifest.metrics.items()}
    return ServingVersion(current, means, record, evaluate if isinstance(evaluate, dict) else {})


def _seal(config: PipelineConfig, workspace: Workspace, report: Report, record: Record) -> Manifest:
    prepared, indexed = workspace.folder("prepare"), workspace.folder("index")
    model = load_model(workspace.folder("train") / "model")
    matrix = InteractionMatrix.load(prepared / "matrix")
    shape = (matrix.n_items, model.embeddings.factors)
    prepare = workspace.summary(PrepareSummary)
    return seal_bundle(
        config.publish.store,
        Contents(
            users=matrix.users,
            items=Items.load(prepared / "items.arrow", matrix.items),
            model=model,
            history=matrix.csr,
            popularity=np.asarray(model.item_degree),
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
            counts={"users": matrix.n_users, "items": matrix.n_items, "entries": int(matrix.csr.nnz)},
            metrics=workspace.summary(EvaluateSummary).metrics[config.model.algorithm],
            gates=[asdict(gate) for gate in report.judgement.gates],
            verdict=report.verdict or "",
            index=workspace.summary(IndexStepSummary).model_dump(mode="json"),
            training=workspace.summary(TrainSummary).training,
        ),
        record=record,
    )
