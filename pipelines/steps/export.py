"""export: everybody's list of the version that serves, to the targets of `[export]`."""

import hashlib
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Protocol

from pipelines.bounded.job import tell_targets
from pipelines.steps.export_report import add_to_report
from pipelines.steps.store import open_store
from pipelines.steps.summaries import ExportResult, ExportSummary
from pipelines.steps.workspace import EXPORT, Workspace
from recsys.address import Address
from recsys.artifacts.signature import SigningKey
from recsys.config import ExportConfig
from recsys.engine import Engine
from recsys.engine.opening import open_engine
from recsys.errors import ConfigError, DataError, RecsysError
from recsys.export import Target, export_lists, target_of, try_target
from recsys.export.files import FileTarget
from recsys.export.parts import check_replaceable
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress


class _Write(Protocol):
    """Writes everybody's list to a target, and returns the rows written."""

    def __call__(
        self, config: PipelineConfig, each: ExportConfig, target: Target, *, engine: Engine, progress: Progress
    ) -> int: ...


def _write_here(
    config: PipelineConfig, each: ExportConfig, target: Target, *, engine: Engine, progress: Progress
) -> int:
    return export_lists(
        engine, target, k=each.k, progress=progress, filter=each.filter, exclude_seen=each.exclude_seen
    )


def _write_by(config: PipelineConfig) -> _Write:
    """How the engine of `config` writes lists."""
    if config.compute.engine == "local":
        return _write_here
    from pipelines.spark.export import write_on_spark  # noqa: PLC0415 (pyspark, an extra)

    return write_on_spark


def check_exports(config: PipelineConfig) -> None:
    """Raise ConfigError if a table of `[export]` shows by itself that nothing can be written to its target."""
    for each in config.export:
        try:
            target = _target(each)
            target.check()
            if isinstance(target, FileTarget) and config.compute.engine == "spark":
                check_replaceable(target.path)
        except ConfigError as error:
            raise ConfigError(f"export.to: {error}") from error


def try_exports(config: PipelineConfig) -> None:
    """Begin to write to every target, and give up at once. Raises ExportError, StorageError and ConfigError."""
    for each in config.export:
        try_target(_target(each))


def export(config: PipelineConfig, workspace: Workspace, *, progress: Progress, again: bool = False) -> ExportSummary:
    """Write the lists of the version that serves to every target that does not have them yet.

    `again`: also to those that have them. A target that fails stands in the summary, and the next run tries it again.
    Raises ConfigError if no version serves.
    """
    registry = open_store(config, key=SigningKey.of(), progress=progress)
    if (version := registry.current()) is None:
        raise ConfigError(f"{config.publish.store}: no version serves, so there are no lists to export")
    before = [] if again else _earlier(workspace)
    tell_targets(*map(_target, config.export))
    engine = cache(lambda: open_engine(registry, version))
    with workspace.output(EXPORT, config) as output:
        results = [
            _result(config, each, None if _has(before, each, version) else engine, version, progress)
            for each in config.export
        ]
        output.summary = summary = ExportSummary(version=version, exports=tuple(results))
    add_to_report(workspace, summary)
    return summary


def export_anew(config: PipelineConfig, workspace: Workspace, *, progress: Progress) -> tuple[list[str], list[str]]:
    """Write all lists again, because people were forgotten; the targets that have them now, and the problems.

    Nothing happens in a workspace that has never exported.
    """
    if not _earlier(workspace):
        return [], []
    summary = export(config, workspace, progress=progress, again=True)
    problems = [*summary.problems]
    for each in config.export:
        try:
            _target(each).scrub()
        except RecsysError as error:
            problems.append(str(error))
    return [each.to for each in summary.exports if each.problem is None], problems


def _earlier(workspace: Workspace) -> list[ExportResult]:
    try:
        return [*workspace.summary(ExportSummary).exports]
    except DataError:
        return []


def _has(earlier: list[ExportResult], config: ExportConfig, version: str) -> bool:
    return _target(config).lasts and any(
        each.version == version and each.settings == _settings(config) and each.problem is None for each in earlier
    )


def _result(
    config: PipelineConfig,
    each: ExportConfig,
    engine: Callable[[], Engine] | None,
    version: str,
    progress: Progress,
) -> ExportResult:
    """What became of one target; `engine`: loads the version, None if the target has its lists already."""
    target = _target(each)
    shown, settings = str(target), _settings(each)
    if engine is None:
        return ExportResult(to=shown, version=version, settings=settings, skipped=True)
    try:
        rows = _write_by(config)(config, each, target, engine=engine(), progress=progress)
    except RecsysError as error:
        problem = str(error) if shown in str(error) else f"{shown}: {error}"
        return ExportResult(to=shown, version=None, settings=settings, problem=problem)
    return ExportResult(to=shown, version=version, settings=settings, rows=rows)


def _target(config: ExportConfig) -> Target:
    if isinstance(config.to, Address):
        return target_of(config.to, table=config.table)
    if config.table is not None:
        raise ConfigError(f"{config.to}: a table is named, and a file has none")
    return FileTarget(Path(config.to), "export.to")


def _settings(config: ExportConfig) -> str:
    return hashlib.sha256(json.dumps(config.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()[:16]
