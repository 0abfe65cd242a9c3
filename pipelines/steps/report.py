"""The evaluation report, put together from what the steps left in the workspace."""

from dataclasses import dataclass
from typing import Any

from pipelines.steps.workspace import Workspace
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.evaluation.cohort import Cohort
from recsys.evaluation.evaluator import Evaluation
from recsys.evaluation.examples import show_users, spread_rows
from recsys.evaluation.gates import check_gates
from recsys.evaluation.record import Record
from recsys.evaluation.regressed import regressions
from recsys.evaluation.reporting.report import Report, build_report
from recsys.evaluation.serving import Serving, compare_with_serving
from recsys.pipeline_config import PipelineConfig

_EXAMPLES = 5


@dataclass(frozen=True, eq=False)
class Evidence:
    """What `evaluate` left: the figures of every model, ours first, and whose they are; `record`: what is kept."""

    evaluations: tuple[Evaluation, ...]
    cohort: Cohort
    record: Record


def load_evidence(config: PipelineConfig, workspace: Workspace) -> Evidence:
    """Read it from the workspace. Raises ArtifactError where it is missing or damaged."""
    folder = workspace.folder("evaluate")
    names = (config.model.algorithm, *config.evaluate.baselines)
    evaluations = tuple(Evaluation.load(folder / f"{name}.arrow") for name in names)
    cohort = Cohort.load(folder / "cohort")
    return Evidence(evaluations, cohort, Record.of(evaluations[0], cohort))


def compose_report(
    config: PipelineConfig, workspace: Workspace, evidence: Evidence, *, serving: Serving | None
) -> Report:
    """The report with its gates judged; `serving`: the version that serves, None where none does."""
    evaluations, cohort, metric = evidence.evaluations, evidence.cohort, config.publish.metric
    comparison = compare_with_serving(evidence.record, serving, config.evaluate) if serving else None
    gates = check_gates(
        model=evaluations[0],
        popular=next((each for each in evaluations if each.name == "popular"), None),
        serving=comparison,
        publish=config.publish,
        evaluate=config.evaluate,
    )
    items, prepared = _catalogue(workspace), workspace.summary("prepare")
    return build_report(
        evaluations,
        metric=metric,
        cohort=cohort,
        serving=comparison,
        split=workspace.summary("evaluate")["split"],
        evaluate=config.evaluate,
        gates=gates,
        index=workspace.summary("index"),
        cleaning=prepared["cleaning"],
        ingest=prepared["rows"],
        holdout_ingest=prepared.get("holdout_rows"),
        settings=portable_settings(config),
        log=_log(config, workspace),
        losses=workspace.summary("train")["losses"],
        stopping=workspace.summary("evaluate").get("stopping"),
        training=workspace.summary("train")["training"],
        examples=show_users(spread_rows(len(cohort.users), _EXAMPLES), cohort, evaluations, items),
        regressed=regressions(evaluations, cohort, items, metric=metric, serving=comparison),
    )


def _catalogue(workspace: Workspace) -> Items:
    prepared = workspace.folder("prepare")
    return Items.load(prepared / "items.arrow", IdMap.load(prepared / "matrix" / "items.arrow"))


def _log(config: PipelineConfig, workspace: Workspace) -> dict[str, Any]:
    """Which log this is; its files as the configuration names them, because publishing never looks at the log."""
    prepared = workspace.summary("prepare")
    return {
        "fingerprint": prepared["fingerprints"]["log"],
        "files": [path.name for path in config.log.paths],
        "newest": prepared["newest_event"],
    }


def portable_settings(config: PipelineConfig) -> dict[str, Any]:
    """The resolved settings as plain values, files by their names: the same on every machine and in every folder."""
    tree: dict[str, Any] = config.model_dump(mode="json", exclude={"workspace": True, "publish": {"store"}})
    tree["log"]["paths"] = [path.name for path in config.log.paths]
    tree["evaluate"]["holdout_paths"] = [path.name for path in config.evaluate.holdout_paths]
    if config.items is not None:
        tree["items"]["path"] = config.items.path.name
    return tree
