"""doctor: whether each compiled part works on this machine, and whether a job fits into it."""

import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from pipelines.commands.releases import libraries
from pipelines.forecast.cluster import too_long
from pipelines.forecast.finding import Finding
from pipelines.forecast.forecast import Forecast, forecast, reloading_bytes
from pipelines.forecast.rehearsal import LOG, SPLIT, before_reading, rehearse, unchecked
from pipelines.forecast.terms import StepMemory, text
from recsys.errors import RecsysError
from recsys.models.factors.als import AlsConfig, fit_als
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress, silent
from recsys.retrieval.flat_index import build_index

_NAMED_TERMS = 3


@dataclass(frozen=True)
class Diagnosis:
    """What the doctor found about a job. `forecast`: None if the log cannot be read."""

    findings: tuple[Finding, ...]
    forecast: Forecast | None

    @property
    def exit_code(self) -> int:
        """2, 3 or 4 if a run of the job would end with it, 1 if it only does not fit this machine, else 0."""
        codes = {finding.exit_code for finding in self.findings if not finding.fine}
        return next((code for code in (2, 3, 4, 1) if code in codes), 0)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values: the checks, and the forecast if there is one."""
        forecast = {} if self.forecast is None else self.forecast.to_dict()
        checks = [finding.to_dict() for finding in self.findings]
        return {**forecast, "fine": self.exit_code == 0, "checks": checks}


def diagnose(config: PipelineConfig, *, quick: bool, progress: Progress) -> Diagnosis:
    """Check everything that prepare and evaluate would fail on, and forecast the size of the job.

    `quick`: read only the first million rows of the log, and leave out the checks that need all of them.
    """
    before = [*before_reading(config), *_on_spark(config)]
    there = config.compute.engine == "spark"
    found, problem = _forecast(config, quick or there, progress)
    sizes = list(judge(found)) if found else [problem]
    tight = [
        finding.name for finding in sizes if not finding.fine and finding.name in ("prepare", "evaluate", "disk")
    ]
    if there:
        read = [unchecked(name, "the driver does not read the log; a run on Spark checks it") for name in _NOT_QUICK]
    elif quick:
        read = [unchecked(name, why) for name, why in _NOT_QUICK.items()]
    elif found and tight:
        read = [unchecked(name, f"{tight[0]} does not fit") for name in _NOT_QUICK]
    else:
        read = rehearse(config, before, progress=progress)
    engine = () if found is None else (which_engine(found, config),)
    return Diagnosis((*before, *read, *sizes, *engine), found)


_NOT_QUICK = {
    LOG: "--quick does not read every row: unknown kinds of event, the share of refused rows, whether the catalogue's"
    " ids are those of the log, and what cleaning leaves are not checked",
    SPLIT: "--quick does not split the log: whether it is long enough for its holdout is not checked",
}


def _on_spark(config: PipelineConfig) -> tuple[Finding, ...]:
    """What there is to check if the job is one of Spark."""
    if config.compute.engine == "local":
        return ()
    from pipelines.spark.doctor import look  # noqa: PLC0415 (pyspark, an extra)

    return look(config)


def which_engine(found: Forecast, config: PipelineConfig) -> Finding:
    """Whether one machine is enough for the job, and what it takes on Spark if it is not."""
    there, hours = found.there, sum(found.seconds.values()) / 3600
    cost = (
        f"a task holds about {text(there.task_bytes)}, the tasks take roughly"
        f" {max(there.core_hours, 0.1):,.1f} core hours ({there.cores:,} of them at once for a night of 8 h)"
    )
    if config.compute.engine == "spark":
        driver = f"the driver holds up to {text(found.peak.size)} ({found.peak.step})"
        return Finding("engine", "ok", f"Spark: {driver}; {cost}")
    tight = next((step for step in found.steps if not found.fits(step)), None)
    if tight is None and not too_long(found.seconds):
        return Finding("engine", "ok", "this machine is enough; Spark would only add its overhead (docs/spark.md)")
    why = f"{tight.step} does not fit" if tight else f"it takes {hours:,.0f} h here"
    return Finding(
        "engine", "ok", f'a job for Spark, because {why} (compute.engine = "spark", docs/spark.md): {cost}'
    )


def _forecast(config: PipelineConfig, quick: bool, progress: Progress) -> tuple[Forecast | None, Finding]:
    try:
        return forecast(config, quick=quick, progress=progress), Finding("forecast", "ok", "")
    except RecsysError as error:
        return None, unchecked("forecast", f"the log cannot be read: {error}")


def examine() -> tuple[Finding, ...]:
    """Check Python, the libraries and the cores, and try each compiled part on a small case."""
    return (
        _finding("python", sys.version_info >= (3, 11), f"{platform.python_version()} on {platform.platform()}"),
        Finding("libraries", "ok", libraries()),
        Finding("cores", "ok", f"{len(os.sched_getaffinity(0))} of {os.cpu_count()} cores available"),
        _try("training", _train),
        _try("search", _search),
    )


_MEMORY = "give the job more memory, or make it smaller: docs/scale.md, and the settings that are named below, if any"
_DISK = "free space there, or name a folder on a larger disk (workspace, publish.store)"


def _finding(name: str, fine: bool, detail: str, remedy: str = "") -> Finding:
    return Finding(name, "ok", detail) if fine else Finding(name, "problem", detail, remedy)


def _try(name: str, attempt: Callable[[], str]) -> Finding:
    try:
        return Finding(name, "ok", attempt())
    except Exception as error:  # any failure of a compiled part is a finding
        return Finding(name, "problem", f"{type(error).__name__}: {error}")


def _train() -> str:
    fit = fit_als(sp.eye(8, format="csr", dtype=np.float32), AlsConfig(factors=4, iterations=2), progress=silent)
    return f"ALS learned {fit.users.shape} and {fit.items.shape}"


def _search() -> str:
    vectors = np.eye(8, dtype=np.float32)
    indices, _ = build_index(vectors, progress=silent).search(vectors, 1).row(3)
    if indices.tolist() != [3]:
        raise ArithmeticError(f"the nearest vector to number 3 is {indices.tolist()}, expected itself")
    return "faiss finds each vector itself first"


def judge(forecast: Forecast) -> tuple[Finding, ...]:
    """The forecast of a job as one finding per step; a step that does not fit names its largest parts."""
    available = text(forecast.available) if forecast.available != float("inf") else "unlimited memory"
    steps = [_judge_step(step, forecast, available) for step in forecast.steps]
    reloading = text(reloading_bytes(forecast.service))
    service = _judge_step(forecast.service, forecast, available)
    service = replace(service, detail=f"{service.detail}; {reloading} while it loads a new version")
    needed = f"{text(forecast.workspace)} for the workspace, {text(forecast.version)} for each published version"
    disk = _finding("disk", forecast.disk_fits, f"{needed}; {text(forecast.disk_free)} free", _DISK)
    return (Finding("assumed", "ok", _assumed(forecast)), *steps, service, disk)


def _judge_step(step: StepMemory, forecast: Forecast, available: str) -> Finding:
    seconds = forecast.seconds.get(step.step)
    duration = f", roughly {duration_text(seconds)}" if seconds is not None else ""
    if forecast.fits(step):
        return Finding(step.step, "ok", f"{text(step.size)}{duration}")
    largest = sorted(step.peak.terms, key=lambda term: -term.size)[:_NAMED_TERMS]
    named = ", ".join(f"{term.what} {text(term.size)}" for term in largest)
    detail = f"{text(step.size)}{duration}, but only {available} available: {named}"
    return Finding(step.step, "problem", detail, _MEMORY)


def duration_text(seconds: float) -> str:
    """A rough duration in the largest fitting unit."""
    if seconds < 100:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _assumed(forecast: Forecast) -> str:
    size = forecast.size
    how = "counted" if size.measured else "extrapolated from the first million rows"
    return (
        f"{size.rows:,} rows, {size.users:,} users, {size.items:,} items, {size.pairs:,} pairs ({how}); "
        f"left after cleaning: {size.n_users:,} x {size.n_items:,}, {size.entries:,} entries; "
        f"{size.eval_users:,} users evaluated, trained on {size.train_share:.0%} of the events"
    )
