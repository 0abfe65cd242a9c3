"""run: the steps in their order, each timed and summed up."""

import logging
import time
from collections.abc import Callable
from typing import Any, Protocol

from pipelines.steps.evaluate import evaluate
from pipelines.steps.index import index
from pipelines.steps.memory import give_back, keep_one_arena
from pipelines.steps.prepare import prepare
from pipelines.steps.publish import publish
from pipelines.steps.train import train
from pipelines.steps.workspace import STEPS, Workspace
from recsys.artifacts.lock import exclusive
from recsys.errors import ConfigError
from recsys.evaluation.gates import check_metric
from recsys.models.registry import check_algorithms
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress

log = logging.getLogger(__name__)


class Step(Protocol):
    """One step of the job: reads its predecessors' outputs, writes its own, returns a summary."""

    def __call__(self, config: PipelineConfig, workspace: Workspace, *, progress: Progress) -> dict[str, Any]:
        """Returns what it did, as plain values."""


_STEPS: dict[str, Step] = {
    "prepare": prepare,
    "evaluate": evaluate,
    "train": train,
    "index": index,
    "publish": publish,
}


def run(
    config: PipelineConfig,
    *,
    steps: tuple[str, ...] = STEPS,
    progress: Progress,
    announce: Callable[[str, dict[str, Any]], None] = lambda step, summary: None,
) -> dict[str, dict[str, Any]]:
    """Run `steps` in order; returns each one's summary, its duration under "seconds".

    `announce` hears of each step as it ends. A step that fails raises, and leaves its earlier outputs in place.
    Raises ArtifactError where another run is at work in the same workspace.
    """
    keep_one_arena()
    _check_before_work(config)
    workspace = Workspace(config.workspace)
    done: dict[str, dict[str, Any]] = {}
    with exclusive(workspace.root / ".lock", doing="running in this workspace"):
        for step in steps:
            started = time.perf_counter()
            summary = _STEPS[step](config, workspace, progress=progress)
            done[step] = {**summary, "seconds": round(time.perf_counter() - started, 2)}
            log.info("%s took %.2f s", step, done[step]["seconds"])
            give_back()
            announce(step, done[step])
    return done


def _check_before_work(config: PipelineConfig) -> None:
    """Raise ConfigError for whatever the settings alone show to be wrong, before anything is read."""
    check_metric(config.publish, config.evaluate)
    check_algorithms(config.model, config.evaluate)
    for key, folder in (("workspace", config.workspace), ("publish.store", config.publish.store)):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{key}: {folder} cannot be made or is no folder: {error.strerror}") from error
