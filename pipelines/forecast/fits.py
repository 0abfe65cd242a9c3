"""Whether a job clearly does not fit into this machine, known before it begins."""

import logging
from pathlib import Path

from pipelines.bounded.limits import usable_bytes
from pipelines.forecast.forecast import Forecast, forecast
from pipelines.forecast.terms import GIB, StepMemory, text
from recsys.data.ingest.configured import whole_log
from recsys.errors import DoesNotFitError, RecsysError
from recsys.pipeline_config import PipelineConfig
from recsys.progress import silent

log = logging.getLogger(__name__)

MARGIN = 1.5
"""A job is refused if its forecast from a part of the log is this many times what is there."""

_ROWS = 200_000
"""Rows of the log that the forecast reads: a second at most."""

_ROW_BYTES, _FACTOR_BYTES, _LEAST_BYTES = 400, 24, GIB
"""Bytes that no job exceeds by far: per row of the log, the same per dimension, and without any row."""

_LARGEST_CHOSEN = 1024
_MOST_ADVICE = 3


def check_fits(config: PipelineConfig, steps: tuple[str, ...]) -> None:
    """Raise DoesNotFitError if `steps` clearly take more memory or disk than there is.

    A small log is not even surveyed; one that is not of files on this machine is not forecast, which the log of the
    job says. What is wrong with the log or the settings is left for the steps to say.
    """
    if not config.resources.check_forecast:
        return
    if config.log.of_database or not config.log.paths or any(not isinstance(path, Path) for path in config.log.paths):
        log.info("the job is not forecast: its log is not of files on this machine")
        return
    available = _available(config)
    try:
        if _surely_fits(config, available):
            return
        found = forecast(config, quick=True, progress=silent, quick_rows=_ROWS, available=available, timed=False)
    except (RecsysError, OSError) as error:
        log.info("the job is not forecast: %s", error)
        return
    judge(found, steps)


def _available(config: PipelineConfig) -> float:
    allowed = config.resources.memory_gib
    return usable_bytes() if allowed is None else min(usable_bytes(), allowed * GIB)


def _surely_fits(config: PipelineConfig, available: float) -> bool:
    """By the number of rows alone, which costs milliseconds."""
    factors = max(config.model.factors, _LARGEST_CHOSEN if config.model.auto else 0)
    rows = whole_log(config.log).estimate_rows()
    return _LEAST_BYTES + rows * (_ROW_BYTES + _FACTOR_BYTES * factors) < available


def judge(found: Forecast, steps: tuple[str, ...]) -> None:
    """Raise DoesNotFitError if a forecast says that `steps` clearly do not fit."""
    margin = 1.0 if found.size.measured else MARGIN
    too_large = [step for step in found.steps if step.step in steps and step.size > margin * found.available]
    if too_large:
        raise DoesNotFitError(_memory_message(found, max(too_large, key=lambda step: step.size), margin))
    if found.workspace + found.version > margin * found.disk_free:
        raise DoesNotFitError(
            f"the job needs about {text(found.workspace)} for the workspace and {text(found.version)} for the"
            f" version, and {text(found.disk_free)} are free: free space, or name folders on a larger disk"
            f" (workspace, publish.store){_anyway(margin)}"
        )


def _memory_message(found: Forecast, step: StepMemory, margin: float) -> str:
    advice = [f"{each.setting} ({text(each.size)})" for each in found.advice[:_MOST_ADVICE]]
    smaller = f", or make it smaller: {', '.join(advice)}" if advice else ""
    return (
        f"{step.step} needs about {text(step.size)} of memory, and {text(found.available)} are available: give the"
        f" job more memory{smaller}{_anyway(margin)}"
    )


def _anyway(margin: float) -> str:
    how = (
        "the whole log" if margin == 1.0 else f"a part of the log; refused from {margin:g} times what is available on"
    )
    return (
        f". Forecast from {how}; `recsys doctor CONFIG` shows all of it, --ignore-forecast"
        " (resources.check_forecast = false) goes on all the same"
    )
