"""Checks that run before the rows of the log are read."""

from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatch
from functools import partial
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory

from pipelines.steps.content_faults import content_faults
from pipelines.steps.store import open_store, store_folder
from recsys.artifacts.bucket.registry import check_conditions
from recsys.artifacts.bundle import read_record
from recsys.data.ingest.configured import events_input, holdout_input, log_input
from recsys.data.ingest.file_finding import SKIPPED
from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.input_files import InputFile
from recsys.data.ingest.source import Columns
from recsys.errors import ArtifactError, ConfigError, DataError
from recsys.evaluation.gates import check_metric
from recsys.models.factors.als import AlsConfig
from recsys.models.factors.mllib_factors import FactorFiles
from recsys.models.registry import check_algorithms
from recsys.objects import open_object_store
from recsys.pipeline_config import PipelineConfig
from recsys.space.item_map import check_map

_WRITTEN = ("quarantine.jsonl", "report.json", "step.json", "inputs.json", "manifest.json")
"""Files of workspace and store that a pattern for a log may match."""


_TRAINED_ON_TEST = "so that the model would learn what it is tested on"


def check_names(config: PipelineConfig) -> None:
    """Raise ConfigError for an unknown metric, model or baseline, a cut-off that is not measured, a missing extra.

    Also for a `[[content]]` table with an unknown column, a missing file, or an encoder that is not installed.
    """
    check_metric(config.publish, config.evaluate)
    check_algorithms(config.model, config.evaluate)
    check_map(config.publish.map)
    check_given_vectors(config)
    for fault in content_faults(config):
        raise ConfigError(fault)


def check_given_vectors(config: PipelineConfig) -> None:
    """Raise ConfigError if the files of `model.item_factors` are missing, or hold something else."""
    if isinstance(config.model, AlsConfig) and config.model.item_factors is not None:
        FactorFiles(config.model.item_factors, config.model.item_labels).check(config.model.factors)


def wrong_names(config: PipelineConfig) -> Iterator[str]:
    """Every message that `check_names` could raise, not only the first."""
    one_by_one = [
        config.evaluate.model_copy(update={"baselines": (name,)}) for name in config.evaluate.baselines or ()
    ]
    checks: list[Callable[[], None]] = [partial(check_metric, config.publish, config.evaluate)]
    checks += [partial(check_map, config.publish.map), partial(check_given_vectors, config)]
    checks += [partial(check_algorithms, config.model, each) for each in (*one_by_one, config.evaluate)]
    messages = dict.fromkeys(message for check in checks if (message := _message_of(check)))
    yield from messages
    yield from content_faults(config)


def _message_of(check: Callable[[], None]) -> str | None:
    try:
        check()
    except ConfigError as error:
        return str(error)
    return None


def check_folders(config: PipelineConfig) -> None:
    """Raise ConfigError if the workspace or the store cannot be written, or is in a folder that the next night reads.

    Makes no folder that stays.
    """
    check_object_store(config)
    for key, folder in (("workspace", config.workspace), ("publish.store", store_folder(config))):
        _check_outside_inputs(key, folder, config)
        try:
            if folder.exists() and not folder.is_dir():
                raise NotADirectoryError(0, "it is not a folder")
            with TemporaryDirectory(prefix=".check-", dir=existing(folder)):
                pass
        except OSError as error:
            raise ConfigError(f"{key}: {folder} cannot be written: {error.strerror}") from error


def check_object_store(config: PipelineConfig) -> None:
    """Raise ConfigError if the store is in an object store that cannot be written, or ignores conditions."""
    if isinstance(config.publish.store, Path):
        return
    try:
        check_conditions(open_object_store(config.publish.store))
    except (ArtifactError, ConfigError) as error:
        raise ConfigError(f"publish.store: {error}") from error


def _check_outside_inputs(key: str, folder: Path, config: PipelineConfig) -> None:
    items = () if config.items is None else config.items.path
    inputs: tuple[InputFile, ...] = (*config.log.paths, *items, *config.evaluate.holdout_paths)
    for path in inputs:
        if (
            not isinstance(path, Path)
            or (read := _read_recursively(path)) is None
            or not folder.resolve().is_relative_to(read.resolve())
        ):
            continue
        if not any(part.startswith(SKIPPED) for part in folder.resolve().relative_to(read.resolve()).parts):
            raise ConfigError(f"{key}: {folder} is in {read}, so that the next run would read what this one writes")


def _read_recursively(path: Path) -> Path | None:
    """The folder in which a path of the configuration finds files that a job writes; None if it finds none."""
    if path.is_dir():
        return path
    if "**" not in path.parts or not any(fnmatch(name, path.name) for name in _WRITTEN):
        return None
    return Path(*path.parts[: path.parts.index("**")])


def existing(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that exists."""
    return next(each for each in (folder, *folder.parents) if each.exists())


def check_store(config: PipelineConfig) -> str | None:
    """The version that the new one is compared with, None for the first. Raises ArtifactError if it is damaged."""
    registry = open_store(config)
    if (current := registry.current()) is not None:
        read_record(registry.path(current))
    return current


def check_log_columns(config: PipelineConfig) -> None:
    """Look at the start of the log: of every file. Raises DataError if a column that `[log]` names is missing."""
    log_input(config.log).check(Columns.of(config.log))
    if (events := events_input(config.log)) is not None:
        events.check(Columns.of(config.log))


def check_holdout_columns(config: PipelineConfig) -> None:
    """Look at the start of the holdout. Raises as `check_log_columns` does, and if a file of it is in the log too."""
    if (holdout := holdout_input(config.evaluate, config.log)) is None:
        return
    log = log_input(config.log)
    if isinstance(log, FileSource) and isinstance(holdout, FileSource):
        _check_apart(log.files, holdout.files)
    if not isinstance(log, FileSource) and holdout.description == log.description:
        raise DataError(f"{log.description}: is both the log and the holdout; {_TRAINED_ON_TEST}")
    holdout.check(Columns.of(config.log))


def _resolved(file: InputFile) -> PurePath:
    return file.resolve() if isinstance(file, Path) else file.location


def _check_apart(log: Sequence[InputFile], holdout: Sequence[InputFile]) -> None:
    trained = {_resolved(file) for file in log}
    for file in holdout:
        if _resolved(file) in trained:
            raise DataError(
                f"{file}: is in evaluate.holdout_paths and in log.paths, {_TRAINED_ON_TEST}; "
                "name the files of the log so that it is not among them"
            )
