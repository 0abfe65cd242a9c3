"""run: the steps in order, each timed."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

from opentelemetry.trace import Span

from pipelines.bounded.reports import tell
from pipelines.forgetting.forget import clean_after_run
from pipelines.steps.checks import check_folders, check_holdout_columns, check_log_columns, check_names
from pipelines.steps.content_files import changed_content
from pipelines.steps.encode import encode
from pipelines.steps.evaluate import evaluate
from pipelines.steps.export import check_exports, export
from pipelines.steps.index import index
from pipelines.steps.inputs import READ_AGAIN, changed_inputs
from pipelines.steps.night import foresee
from pipelines.steps.prepare import prepare
from pipelines.steps.publish import publish
from pipelines.steps.step import Step
from pipelines.steps.store import store_folder
from pipelines.steps.summaries import JobSummary, StepSummary
from pipelines.steps.train import train
from pipelines.steps.workspace import ENCODE, EXPORT, Workspace, check_step, steps_of
from recsys.artifacts.lock import exclusive
from recsys.errors import ConfigError
from recsys.evaluation.acceptance import check_names as check_names_of_gates
from recsys.json_log import FIELDS
from recsys.memory import give_back, keep_one_arena
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress
from recsys.tracing import span

log = logging.getLogger(__name__)


Announce = Callable[[StepSummary, float], None]
"""Called with the summary of a finished step and its seconds."""


_STEPS: dict[str, Callable[..., StepSummary]] = {
    "prepare": prepare,
    "encode": encode,
    "evaluate": evaluate,
    "train": train,
    "index": index,
    "publish": publish,
    "export": export,
}


def run(
    config: PipelineConfig,
    *,
    steps: tuple[str, ...] | None = None,
    progress: Progress,
    announce: Announce = lambda summary, seconds: None,
    accept: Sequence[str] = (),
    full: bool = False,
) -> JobSummary:
    """Run `steps`, by default all, in order.

    `announce` is called after each step. `accept`: names of gates that may refuse for once.
    `full`: an incremental log is read anew as a whole.

    A step that fails raises and leaves its earlier outputs in place; an export that fails does not raise, but stands
    in the summary of the step, because the version is published. Raises ConfigError, before anything is read, for
    whatever the settings alone show to be wrong; ArtifactError if another run uses the same workspace.
    """
    keep_one_arena()
    steps = steps_of(config) if steps is None else steps
    accepted = check_names_of_gates(accept)
    _check_before_work(config, steps)
    workspace = Workspace(config.workspace, _changed(config, steps), full)
    summaries: dict[str, StepSummary] = {}
    seconds: dict[str, float] = {}
    began_at = time.time()
    with (
        exclusive(workspace.root / ".lock", doing="running in this workspace"),
        span("night"),
        _engine(config, steps),
    ):
        workspace.remove_leftovers()
        try:
            for step in steps:
                tell(step=step)
                started = time.perf_counter()
                with span(step) as traced:
                    do = _step(step, config, accepted, alone=steps[0] == step)
                    summaries[step] = do(config, workspace, progress=progress)
                    _describe(traced, summaries[step])
                seconds[step] = round(time.perf_counter() - started, 2)
                _log(summaries[step], seconds[step], workspace.identity(step))
                give_back()
                announce(summaries[step], seconds[step])
        finally:
            clean_after_run(config, workspace, since=began_at, exported=EXPORT in summaries)
    return JobSummary(summaries, seconds)


def _describe(traced: Span | None, summary: StepSummary) -> None:
    """What a step's span says of it: the numbers of its line in the log."""
    for name, value in summary.log_fields().items():
        if traced is not None and isinstance(value, int | float | str):
            traced.set_attribute(f"recsys.{name}", value)


def _log(summary: StepSummary, seconds: float, fingerprint: str) -> None:
    """One structured line about a finished step: rows in and out, duration, fingerprint."""
    fields = {"step": summary.step, **summary.log_fields(), "seconds": seconds, "fingerprint": fingerprint[:16]}
    log.info("%s", " ".join(f"{name}={value}" for name, value in fields.items()), extra={FIELDS: fields})


def _step(name: str, config: PipelineConfig, accepted: Sequence[str], *, alone: bool) -> Step:
    """The step; prepare and publish are told which gates are accepted, export whether it was asked for by itself."""
    step = _of_engine(config).get(name, _STEPS[name])
    if name == EXPORT:
        return partial(step, again=alone)
    if name == "publish":
        return partial(step, accepted=accepted)
    return partial(_prepare_and_foresee, step, accepted=accepted) if name == "prepare" else step


def _of_engine(config: PipelineConfig) -> Mapping[str, Callable[..., StepSummary]]:
    """The steps that the engine of `config` does in its own way."""
    if config.compute.engine == "local":
        return {}
    from pipelines.spark.steps import STEPS  # noqa: PLC0415 (pyspark, an extra)

    return STEPS


@contextmanager
def _engine(config: PipelineConfig, steps: tuple[str, ...]) -> Iterator[None]:
    """What the engine of `config` needs while `steps` run."""
    if config.compute.engine == "local":
        yield
        return
    from pipelines.spark.engine import spark_engine  # noqa: PLC0415 (pyspark, an extra)

    with spark_engine(config, steps):
        yield


def _prepare_and_foresee(
    prepare: Step, config: PipelineConfig, workspace: Workspace, *, progress: Progress, accepted: Sequence[str]
) -> StepSummary:
    summary = prepare(config, workspace, progress=progress)
    give_back()
    foresee(config, workspace, accepted)
    return summary


def _changed(config: PipelineConfig, steps: tuple[str, ...]) -> tuple[str, ...]:
    """What changed in the input files since the steps that read them, if they are not among `steps`.

    Each is logged as a warning.
    """
    workspace, changes = Workspace(config.workspace), tuple[str, ...]()
    if "prepare" not in steps:
        changes = changed_inputs(config, workspace.folder("prepare"))
    if config.content and ENCODE not in steps:
        changes += changed_content(config, workspace)
    for change in changes:
        log.warning("%s; %s", change, READ_AGAIN)
    return changes


def _check_before_work(config: PipelineConfig, steps: tuple[str, ...]) -> None:
    """Raise for whatever shows, before the rows of the log are read, that the steps cannot work."""
    for step in steps:
        check_step(step, config)
    check_names(config)
    check_folders(config)
    if EXPORT in steps:
        check_exports(config)
    _check_engine(config)
    for key, folder in (("workspace", config.workspace), ("publish.store", store_folder(config))):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{key}: {folder} cannot be created or is not a folder: {error.strerror}") from error
    if "prepare" in steps:
        check_log_columns(config)
        check_holdout_columns(config)


def _check_engine(config: PipelineConfig) -> None:
    """Raise ConfigError if what the engine needs is not installed."""
    if config.compute.engine == "spark":
        from recsys.spark.session import check_installed  # noqa: PLC0415 (for this engine alone)

        check_installed()
