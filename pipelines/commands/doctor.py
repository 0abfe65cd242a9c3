"""doctor: whether each compiled part works on this machine, and whether a job fits into it."""

import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version

import numpy as np
import scipy.sparse as sp

from pipelines.forecast.forecast import Forecast, reloading_bytes
from pipelines.forecast.terms import StepMemory, text
from recsys.models.factors.als import AlsConfig, fit_als
from recsys.progress import silent
from recsys.retrieval.flat_index import build_index

_LIBRARIES = ("implicit", "faiss-cpu", "numpy", "scipy", "pandas", "pyarrow", "fastapi", "uvicorn")
_NAMED_TERMS = 3


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    name: str
    fine: bool
    detail: str


def examine() -> tuple[Finding, ...]:
    """Check Python, the libraries and the cores, and try each compiled part on a small case."""
    return (
        Finding("python", sys.version_info >= (3, 11), f"{platform.python_version()} on {platform.platform()}"),
        Finding("libraries", True, ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)),
        Finding("cores", True, f"{len(os.sched_getaffinity(0))} of {os.cpu_count()} cores available"),
        _try("training", _train),
        _try("search", _search),
    )


def _try(name: str, attempt: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, attempt())
    except Exception as error:  # any failure of a compiled part is a finding
        return Finding(name, False, f"{type(error).__name__}: {error}")


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
    disk = Finding("disk", forecast.disk_fits, f"{needed}; {text(forecast.disk_free)} free")
    return (Finding("assumed", True, _assumed(forecast)), *steps, service, disk)


def _judge_step(step: StepMemory, forecast: Forecast, available: str) -> Finding:
    seconds = forecast.seconds.get(step.step)
    duration = f", roughly {duration_text(seconds)}" if seconds is not None else ""
    if forecast.fits(step):
        return Finding(step.step, True, f"{text(step.size)}{duration}")
    largest = sorted(step.peak.terms, key=lambda term: -term.size)[:_NAMED_TERMS]
    named = ", ".join(f"{term.what} {text(term.size)}" for term in largest)
    return Finding(step.step, False, f"{text(step.size)}{duration}, but only {available} available: {named}")


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
