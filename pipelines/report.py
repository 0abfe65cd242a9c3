"""The evaluation report, put together from what the steps left in the workspace."""

from collections.abc import Mapping
from typing import Any

from pipelines.workspace import Workspace
from recsys.config import PipelineConfig
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.evaluation.cohort import Cohort
from recsys.evaluation.evaluator import Evaluation
from recsys.evaluation.examples import Regressed, regressed_rows, show_users, spread_rows
from recsys.evaluation.gates import check_gates
from recsys.evaluation.report import Report, build_report

_EXAMPLES, _REGRESSED = 5, 5


def compose_report(config: PipelineConfig, workspace: Workspace, *, serving: Mapping[str, Any] | None) -> Report:
    """The report with its gates judged; `serving`: the metrics of the version that serves, None where none does."""
    folder, summary = workspace.folder("evaluate"), workspace.summary("evaluate")
    prepared = workspace.summary("prepare")
    names = (config.model.algorithm, *config.evaluate.baselines)
    evaluations = {name: Evaluation.load(folder / f"{name}.arrow") for name in names}
    cohort = Cohort.load(folder / "cohort")
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
        cohort=cohort,
        split=summary["split"],
        evaluate=config.evaluate,
        gates=gates,
        index=workspace.summary("index"),
        cleaning=prepared["cleaning"],
        ingest=prepared["rows"],
        holdout_ingest=prepared.get("holdout_rows"),
        settings=portable_settings(config),
        losses=workspace.summary("train")["losses"],
        **_people(config, cohort, list(evaluations.values()), _catalogue(workspace)),
    )


def _people(config: PipelineConfig, cohort: Cohort, evaluations: list[Evaluation], items: Items) -> dict[str, Any]:
    """Users to show: some evenly spaced ones, and those whom the strongest baseline serves better."""
    rows = spread_rows(len(cohort.users), _EXAMPLES)
    people: dict[str, Any] = {"examples": show_users(rows, cohort, evaluations, items)}
    model, *baselines = evaluations
    if baselines:
        metric = config.publish.metric
        strongest = max(baselines, key=lambda each: each.means()[metric])
        now, before = model.per_user[metric], strongest.per_user[metric]
        rows = regressed_rows(now, before, _REGRESSED)
        shown = show_users(rows, cohort, [model, strongest], items)
        people["regressed"] = [
            Regressed(before=float(before[row]), now=float(now[row]), example=example)
            for row, example in zip(rows, shown, strict=True)
        ]
        people["regressed_against"] = strongest.name
    return people


def _catalogue(workspace: Workspace) -> Items:
    prepared = workspace.folder("prepare")
    return Items.load(prepared / "items.arrow", IdMap.load(prepared / "matrix" / "items.arrow"))


def portable_settings(config: PipelineConfig) -> dict[str, Any]:
    """The resolved settings as plain values, files by their names: the same on every machine and in every folder."""
    tree: dict[str, Any] = config.model_dump(mode="json", exclude={"workspace": True, "publish": {"store"}})
    tree["log"]["paths"] = [path.name for path in config.log.paths]
    tree["evaluate"]["holdout_paths"] = [path.name for path in config.evaluate.holdout_paths]
    if config.items is not None:
        tree["items"]["path"] = config.items.path.name
    return tree
