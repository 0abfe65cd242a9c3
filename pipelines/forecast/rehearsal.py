"""Rehearsal: every check that prepare and evaluate would fail on, made by the functions of these steps themselves.

The log is read as prepare reads it, into a folder that is removed afterwards, and split as evaluate splits it.
"""

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from pipelines.forecast.finding import Finding
from pipelines.steps.checks import (
    check_folders,
    check_holdout_columns,
    check_log_columns,
    check_store,
    existing,
    wrong_names,
)
from pipelines.steps.evaluate import held_out
from pipelines.steps.exclusion import read_catalogue
from pipelines.steps.export import check_exports, try_exports
from pipelines.steps.night import refusing
from pipelines.steps.prepare import foreign_catalogue, prepare
from pipelines.steps.summaries import PrepareSummary
from pipelines.steps.workspace import Workspace
from recsys.config import ItemsConfig
from recsys.config.database import SPARK
from recsys.data.ingest.accounting import RowCounts
from recsys.data.ingest.catalogue import read_items
from recsys.data.interactions import Interactions
from recsys.data.items import Items
from recsys.data.splits.split import Split
from recsys.errors import RecsysError, TooManyRefusedError
from recsys.evaluation.gates import too_few_users
from recsys.evaluation.number_format import count, percent
from recsys.models.registry import ALGORITHMS
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress

Value = TypeVar("Value")

_FOLDER = ".doctor-"
_ABANDONED_AFTER = 2 * 86_400
"""Seconds; no rehearsal takes as long."""

_WRONG, _REFUSED, _NOT_EXPORTED = 2, 3, 4
"""Exit codes of a run."""

_ACCEPT = "if it is meant to be so: `recsys run CONFIG --accept {}` accepts it once"

SETTINGS, FOLDERS, STORE, CATALOGUE, COLUMNS, HOLDOUT, EXPORT, LOG, SPLIT, GATES = (
    "settings",
    "folders",
    "store",
    "catalogue",
    "columns",
    "holdout files",
    "export",
    "log",
    "split",
    "night gates",
)
"""The names of the checks."""

_REMEDIES = {
    SETTINGS: "correct the key in the configuration",
    FOLDERS: "give the user who runs the job the right to write there, or name another folder",
    STORE: "`recsys models --store STORE` shows the damage; `recsys rollback --store STORE VERSION` repairs it",
    CATALOGUE: "correct the rows, or items.path (or items.source), items.id and the names of its columns in [items]",
    COLUMNS: "correct the log, what names it in [log] (paths, or source with query or table), or its columns",
    HOLDOUT: "correct the keys of [evaluate] that begin with holdout_, or the rows that they name",
    EXPORT: "correct export.to, or give the user who runs the job the right to write there (docs/export.md)",
    LOG: "correct the rows of the log, or the keys of [log] and [prepare] that leave them out",
    SPLIT: "choose a holdout that suits the log: evaluate.split, and evaluate.holdout or evaluate.last_n",
}


def before_reading(config: PipelineConfig) -> list[Finding]:
    """What can be checked before the rows of the log are read."""
    found = [
        *_names(config),
        _tried(FOLDERS, lambda: check_folders(config), lambda _: "workspace and store can be written"),
        _looked_at(COLUMNS, config.log.of_spark, lambda: check_log_columns(config), lambda _: _has_columns(config)),
    ]
    if not isinstance(config.publish.store, Path) or config.publish.store.is_dir():
        found.append(_tried(STORE, lambda: check_store(config), _serving))
    if (items := config.items) is not None:
        found.append(_looked_at(CATALOGUE, items.of_spark, lambda: read_catalogue(items)[0], _catalogue))
    if config.evaluate.has_given_holdout:
        on_spark = config.evaluate.holdout_rows(config.log.source)["source"] == SPARK
        checked = _looked_at(HOLDOUT, on_spark, lambda: check_holdout_columns(config), lambda _: "it has the columns")
        found.append(checked)
    return found + _exports(config)


def _exports(config: PipelineConfig) -> list[Finding]:
    """Whether lists could be exported; a wrong address ends the run at its beginning, a failed export at its end."""
    if not config.export:
        return []
    written = _tried(EXPORT, lambda: check_exports(config), lambda _: "the places of [export] take lists")
    if not written.fine:
        return [written]
    tried = _tried(EXPORT, lambda: try_exports(config), lambda _: written.detail)
    return [tried if tried.fine else replace(tried, exit_code=_NOT_EXPORTED)]


def rehearse(config: PipelineConfig, before: list[Finding], *, progress: Progress) -> list[Finding]:
    """Read the log and split it, as far as the checks `before` allow."""
    failed = {finding.name for finding in before if not finding.fine}
    if COLUMNS in failed:
        return [unchecked(name, "the log cannot be read") for name in (LOG, SPLIT)]
    readable = _without(config, failed)
    try:
        place = existing(config.workspace)
        _remove_abandoned(place)
        with TemporaryDirectory(prefix=_FOLDER, dir=place) as folder:
            found, passed = _steps(readable, workspace := Workspace(Path(folder)), progress)
            return found + (_gates(config, workspace) if passed == config else [])
    except OSError as error:
        return [_problem(FOLDERS, f"{config.workspace}: cannot be written: {error.strerror}")]


def _has_columns(config: PipelineConfig) -> str:
    return f"{'the log' if config.log.of_database else 'every file of the log'} has the columns"


def _remove_abandoned(place: Path) -> None:
    """Remove what an earlier rehearsal left that was killed."""
    for folder in place.glob(f"{_FOLDER}*"):
        if time.time() - folder.stat().st_mtime > _ABANDONED_AFTER:
            shutil.rmtree(folder, ignore_errors=True)


def unchecked(name: str, why: str) -> Finding:
    """A check that was not made."""
    return Finding(name, "not checked", why)


def _without(config: PipelineConfig, failed: set[str]) -> PipelineConfig:
    """`config` without what cannot be read, so that the rest is checked all the same."""
    baselines = config.evaluate.baselines
    known = None if baselines is None else tuple(name for name in baselines if name in ALGORITHMS)
    evaluate = config.evaluate.without_holdout() if HOLDOUT in failed else config.evaluate
    evaluate = evaluate.model_copy(update={"baselines": known})
    items = None if CATALOGUE in failed else config.items
    return config.model_copy(update={"items": items, "evaluate": evaluate})


def _steps(
    config: PipelineConfig, workspace: Workspace, progress: Progress
) -> tuple[list[Finding], PipelineConfig | None]:
    """Findings of prepare, then of evaluate; and as `_prepared`, None if the catalogue is a foreign one."""
    found, passed = _prepared(config, workspace, progress)
    if passed is None:
        return [*found, unchecked(SPLIT, "prepare leaves nothing to split")], None
    joined = [] if passed.items is None else _join(passed.items, workspace)
    found += joined
    if passed.evaluate.split == "given" and not passed.evaluate.has_given_holdout:
        found.append(unchecked(SPLIT, "the held-out files cannot be read"))
    else:
        found.append(_split(passed, workspace))
    return found, None if joined else passed


def _split(config: PipelineConfig, workspace: Workspace) -> Finding:
    """What evaluate says of the split, and publish of the number of users."""
    try:
        split = held_out(config, workspace)
    except RecsysError as error:
        return _problem(SPLIT, str(error))
    few = too_few_users(len(split.user_ids), config.publish)
    if few is None or not config.publish.must_beat_popular:
        return Finding(SPLIT, "ok", _sides(split))
    return Finding(SPLIT, "problem", f"{_sides(split)}; {few}", _REMEDIES[SPLIT], exit_code=_REFUSED)


def _prepared(
    config: PipelineConfig, workspace: Workspace, progress: Progress
) -> tuple[list[Finding], PipelineConfig | None]:
    """What prepare says, and the configuration that it passes with, None if with none.

    If too many rows are refused, prepare runs again on the rows that are left, to find what else is wrong.
    """
    try:
        return [Finding(LOG, "ok", _rows(prepare(config, workspace, progress=progress), config))], config
    except TooManyRefusedError as error:
        found = _problem(LOG, _without_lines_about(workspace.root, error))
    except RecsysError as error:
        return [_problem(LOG, str(error))], None
    all_allowed = config.log.model_copy(update={"max_refused_share": 1.0})
    others, passed = _prepared(config.model_copy(update={"log": all_allowed}), workspace, progress)
    return [found, *(each for each in others if not each.fine)], passed


def _join(items: ItemsConfig, workspace: Workspace) -> list[Finding]:
    """A problem if the catalogue has no item of the log."""
    events = Interactions.load(workspace.folder("prepare") / "events")
    foreign = foreign_catalogue(items, read_items(items), events.items)
    return [_problem(CATALOGUE, foreign)] if foreign else []


def _gates(config: PipelineConfig, workspace: Workspace) -> list[Finding]:
    """What publish would refuse of the log and the catalogue."""
    if isinstance(config.publish.store, Path) and config.publish.store.is_file():
        return []
    try:
        refused = refusing(config, workspace)
    except RecsysError as error:
        return [_problem(STORE, str(error))]
    remedy = _ACCEPT.format(",".join(gate.name for gate in refused))
    found = [Finding(GATES, "problem", gate.detail, remedy, exit_code=_REFUSED) for gate in refused]
    return found or [Finding(GATES, "ok", "no night gate would refuse this log and catalogue")]


def _names(config: PipelineConfig) -> list[Finding]:
    wrong = [_problem(SETTINGS, message) for message in wrong_names(config)]
    return wrong or [Finding(SETTINGS, "ok", "metric, model and baselines are known")]


def _tried(name: str, check: Callable[[], Value], describe: Callable[[Value], str]) -> Finding:
    try:
        return Finding(name, "ok", describe(check()))
    except RecsysError as error:
        return _problem(name, str(error))


def _looked_at(name: str, on_spark: bool, check: Callable[[], Value], describe: Callable[[Value], str]) -> Finding:
    """As `_tried`, if it can be looked at without a session of Spark."""
    return unchecked(name, "a table of Spark: see `tables`") if on_spark else _tried(name, check, describe)


def _problem(name: str, detail: str) -> Finding:
    return Finding(name, "problem", detail, _REMEDIES[name], exit_code=_WRONG)


def _without_lines_about(folder: Path, error: Exception) -> str:
    """The message without its lines about files in `folder`, which is removed."""
    return "\n".join(line for line in str(error).splitlines() if str(folder) not in line)


def _serving(version: str | None) -> str:
    return f"{version} serves" if version else "no version serves yet"


def _catalogue(items: Items) -> str:
    kinds = ", ".join(f"{name} {items.kinds[name]}" for name in items.facts)
    return f"{count(len(items.ids))} items{'; ' if kinds else ''}{kinds}"


def _rows(summary: PrepareSummary, config: PipelineConfig) -> str:
    rows, cleaning = summary.rows, summary.cleaning
    return (
        f"{count(rows.rows_read)} rows, {count(rows.n_refused)} refused ({percent(rows.refused_share)};"
        f" {percent(config.log.max_refused_share)} allowed){_ignored(rows)}; left after cleaning:"
        f" {count(cleaning.n_users)} users x {count(cleaning.n_items)} items, {count(cleaning.entries)} entries"
    )


def _ignored(rows: RowCounts) -> str:
    return f", {count(rows.n_ignored)} ignored" if rows.n_ignored else ""


def _sides(split: Split) -> str:
    train, held = split.counts["n_train_events"], split.counts["n_holdout_events"]
    return f"{count(train)} events to train on, {count(held)} held out, {count(len(split.user_ids))} users evaluated"
