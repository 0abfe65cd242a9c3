"""The evaluation report, put together from what the steps left in the workspace."""

from collections.abc import Mapping
from typing import Any

from pipelines.workspace import Workspace
from recsys.config import PipelineConfig
from recsys.evaluation.cohort import Cohort
from recsys.evaluation.evaluator import Evaluation
from recsys.evaluation.gates import check_gates
from recsys.evaluation.report import Example, Report, build_report


def compose_report(config: PipelineConfig, workspace: Workspace, *, serving: Mapping[str, Any] | None) -> Report:
    """The report with its gates judged; `serving`: the metrics of the version that serves, None where none does."""
    folder, summary = workspace.folder("evaluate"), workspace.summary("evaluate")
    prepared = workspace.summary("prepare")
    names = (config.model.algorithm, *config.evaluate.baselines)
    evaluations = {name: Evaluation.load(folder / f"{name}.arrow") for name in names}
    gates = check_gates(
        model=evaluations[config.model.algorithm],
        popular=evaluations.get("popular"),
        serving=serving,
        publish=config.publish,
        evaluate=config.evaluate,
    )
    return build_report(
        list(evaluations.values()),
        metric=config.publish.metric,
        cohort=Cohort.load(folder / "cohort"),
        split=summary["split"],
        evaluate=config.evaluate,
        gates=gates,
        index=workspace.summary("index"),
        cleaning=prepared["cleaning"],
        ingest=prepared["rows"],
        holdout_ingest=prepared.get("holdout_rows"),
        settings=portable_settings(config),
        examples=[Example(**example) for example in summary["examples"]],
    )


def portable_settings(config: PipelineConfig) -> dict[str, Any]:
    """The resolved settings as plain values, files by their names: the same on every machine and in every folder."""
    tree: dict[str, Any] = config.model_dump(mode="json", exclude={"workspace": True, "publish": {"store"}})
    tree["log"]["paths"] = [path.name for path in config.log.paths]
    tree["evaluate"]["holdout_paths"] = [path.name for path in config.evaluate.holdout_paths]
    if config.items is not None:
        tree["items"]["path"] = config.items.path.name
    return tree
