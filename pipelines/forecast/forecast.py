"""Forecast: the memory, disk and time that a job will take on this machine, and settings that make it smaller."""

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipelines.forecast.cluster import OnSpark, of_driver, on_spark
from pipelines.forecast.content import content_size
from pipelines.forecast.job_size import JobSize, SampledSurvey, job_size
from pipelines.forecast.steps import job_memory, service_memory, version_bytes, workspace_bytes
from pipelines.forecast.terms import MIB, StepMemory
from pipelines.forecast.timing import job_seconds
from pipelines.steps.store import store_folder
from recsys.data.ingest.configured import whole_log
from recsys.data.ingest.survey import survey_log
from recsys.memory import give_back
from recsys.models.factors.als import AlsConfig
from recsys.models.factors.config import stops_early
from recsys.models.memory import available_bytes
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress
from recsys.tuning.open_settings import largest

_STATUS = Path("/proc/self/statm")
_USUAL_RESIDENT = 190 * MIB


_LEAST_SAVING = 0.05
"""A change is listed if it saves at least this share of the peak."""


@dataclass(frozen=True)
class Advice:
    """A setting as the configuration has it, and the peak memory of the job with it, in bytes."""

    setting: str
    size: int


@dataclass(frozen=True)
class Forecast:
    """`steps`: peak memory of each step. `service`: of one serving process. `available`: bytes available now.

    `seconds`: rough duration of each step. `workspace`, `version`: bytes on disk of one run and of one published
    version; `disk_free`: bytes free for them. `advice`: settings that would make the job smaller. `there`: on Spark.
    With `compute.engine = "spark"`, `steps` have what the driver holds, and there are no `seconds`.
    """

    size: JobSize
    steps: tuple[StepMemory, ...]
    service: StepMemory
    available: float
    seconds: dict[str, float]
    workspace: int
    version: int
    disk_free: int
    advice: tuple[Advice, ...]
    there: OnSpark

    @property
    def peak(self) -> StepMemory:
        """The step with the highest peak, which is the peak of the job."""
        return max(self.steps, key=lambda step: step.size)

    def fits(self, step: StepMemory) -> bool:
        """Whether a step fits into the memory that is available."""
        return step.size <= self.available

    @property
    def disk_fits(self) -> bool:
        """Whether workspace and one version fit on the disk."""
        return self.workspace + self.version <= self.disk_free

    @property
    def fine(self) -> bool:
        """Whether the steps, the service and the files all fit."""
        return all(map(self.fits, (*self.steps, self.service))) and self.disk_fits

    def _seconds_tree(self, step: StepMemory) -> dict[str, float]:
        return {"seconds": round(self.seconds[step.step], 1)} if step.step in self.seconds else {}

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values; sizes in bytes."""
        return {
            "fine": self.fine,
            "assumed": self.size.to_dict(),
            "memory": {
                "available": None if self.available == float("inf") else round(self.available),
                "peak": self.peak.size,
                "steps": [{**_memory_tree(step), **self._seconds_tree(step)} for step in self.steps],
                "service": {**_memory_tree(self.service), "while_reloading": reloading_bytes(self.service)},
            },
            "disk": {"workspace": self.workspace, "version": self.version, "free": self.disk_free},
            "advice": [vars(each) for each in self.advice],
            "on_spark": vars(self.there),
        }


def _memory_tree(step: StepMemory) -> dict[str, Any]:
    terms = {term.what: term.size for term in step.peak.terms}
    return {"step": step.step, "peak": step.size, "at": step.peak.name, "terms": terms}


def reloading_bytes(service: StepMemory) -> int:
    """Peak memory of the service while it loads a new version beside the old one."""
    return 2 * service.size - service.peak.terms[0].size


def forecast(
    config: PipelineConfig,
    *,
    quick: bool,
    progress: Progress,
    quick_rows: int = 1_000_000,
    available: float | None = None,
    timed: bool = True,
) -> Forecast:
    """Survey the log of `config` and compute the forecast.

    `quick`: read only the first `quick_rows` rows and extrapolate. `available`: bytes of memory for the job, by
    default what the machine has available now. `timed`: forecast the durations too, by trying small parts of the
    work. Settings that a night chooses count as the largest it may choose.
    Raises as `survey_log` does.
    """
    resident = _resident_bytes()
    source = whole_log(config.log)
    estimated = source.estimate_rows()
    started = time.perf_counter()
    survey = survey_log(source, config.log, max_rows=quick_rows if quick else None, progress=progress)
    seconds = time.perf_counter() - started
    give_back()
    surveyed = SampledSurvey.of(survey)
    rows = survey.rows if survey.whole else max(estimated, survey.rows)
    size = job_size(surveyed, config, rows=rows)
    if timed:
        size = replace(size, content=content_size(config, n_items=size.mapped_items))
    config = config.model_copy(update={"model": largest(config.model, (size.n_users, size.n_items))})
    durations = job_seconds(size, config, read_seconds=seconds * rows / survey.rows) if timed else {}
    held = size if config.compute.engine == "local" else of_driver(size, config)
    return Forecast(
        size=size,
        steps=tuple(job_memory(held, config, resident=resident)),
        service=service_memory(size, config),
        available=available_bytes() if available is None else available,
        seconds=durations if held is size else {},
        there=on_spark(size, config, durations),
        workspace=workspace_bytes(size, config),
        version=version_bytes(size, config),
        disk_free=_disk_free(config),
        advice=tuple(advise(surveyed, config, rows=rows, resident=resident)),
    )


def _resident_bytes() -> int:
    """Memory of Python and the libraries: that of this process before it holds any data."""
    try:
        return int(_STATUS.read_text().split()[1]) * 4096
    except OSError:
        return _USUAL_RESIDENT


def _disk_free(config: PipelineConfig) -> int:
    """Free bytes on the disk of the workspace or of the store, whichever has less."""
    return min(shutil.disk_usage(_existing(folder)).free for folder in (config.workspace, store_folder(config)))


def _existing(folder: Path) -> Path:
    return next(each for each in (folder, *folder.parents) if each.exists())


def advise(surveyed: SampledSurvey, config: PipelineConfig, *, rows: int, resident: int) -> list[Advice]:
    """Settings that would make the job smaller, the largest saving first."""

    def peak(changed: PipelineConfig) -> int:
        size = job_size(surveyed, changed, rows=rows)
        return max(step.size for step in job_memory(size, changed, resident=resident))

    now = peak(config)
    tried = [Advice(setting, peak(changed)) for setting, changed in _changes(config)]
    return sorted((each for each in tried if each.size < now * (1 - _LEAST_SAVING)), key=lambda each: each.size)


def _changes(config: PipelineConfig) -> Iterator[tuple[str, PipelineConfig]]:
    """One changed setting at a time."""
    for factors in (config.model.factors // 2, config.model.factors // 4):
        if factors >= 8:
            yield f"model.factors = {factors}", _with(config, "model", factors=factors)
    if isinstance(config.model, AlsConfig) and config.model.start == "spectral":
        yield 'model.start = "random"', _with(config, "model", start="random")
    if stops_early(config.model):
        yield "model.early_stopping = false", _with(config, "model", early_stopping=False)
    for key in ("min_user_items", "min_item_users"):
        for least in (2, 5):
            if getattr(config.prepare, key) < least:
                yield f"prepare.{key} = {least}", _with(config, "prepare", **{key: least})
    baselines = config.evaluate.baselines or ()
    for name in baselines:
        left = tuple(other for other in baselines if other != name)
        yield f"evaluate.baselines without {name!r}", _with(config, "evaluate", baselines=left)
    if config.evaluate.max_users is None:
        yield "evaluate.max_users = 50000", _with(config, "evaluate", max_users=50_000)


def _with(config: PipelineConfig, section: str, **settings: object) -> PipelineConfig:
    changed = getattr(config, section).model_copy(update=settings)
    return config.model_copy(update={section: changed})
