"""Forecast: what a job will take on this machine, and what to change where it does not fit."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.forecast.advice import Advice, advise
from pipelines.forecast.job_size import JobSize, job_size
from pipelines.forecast.sampled_degrees import Surveyed
from pipelines.forecast.steps import job_memory, service_memory, version_bytes, workspace_bytes
from pipelines.forecast.terms import MIB, StepMemory
from pipelines.forecast.timing import job_seconds
from pipelines.steps.memory import give_back
from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.survey import survey_log
from recsys.models.memory import available_bytes
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress

_QUICK_ROWS = 1_000_000
_STATUS = Path("/proc/self/statm")
_USUAL_RESIDENT = 190 * MIB


@dataclass(frozen=True)
class Forecast:
    """`steps`: peak memory of each step. `service`: of one serving process. `available`: bytes there are now.

    `seconds`: a rough time of each step. `workspace`, `version`: bytes on disk, of one run and of one published
    version; `disk_free`: bytes there are for them. `advice`: what would make the job smaller.
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

    @property
    def peak(self) -> StepMemory:
        """The step that takes most memory, which is what the job takes."""
        return max(self.steps, key=lambda step: step.size)

    def fits(self, step: StepMemory) -> bool:
        """Whether there is memory for a step now."""
        return step.size <= self.available

    @property
    def disk_fits(self) -> bool:
        """Whether there is room for the workspace and one version."""
        return self.workspace + self.version <= self.disk_free

    @property
    def fine(self) -> bool:
        """Whether everything fits."""
        return all(map(self.fits, (*self.steps, self.service))) and self.disk_fits

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it; sizes in bytes."""
        return {
            "fine": self.fine,
            "assumed": self.size.to_dict(),
            "memory": {
                "available": None if self.available == float("inf") else round(self.available),
                "peak": self.peak.size,
                "steps": [
                    {**_memory_tree(step), "seconds": round(self.seconds[step.step], 1)} for step in self.steps
                ],
                "service": {**_memory_tree(self.service), "while_reloading": reloading_bytes(self.service)},
            },
            "disk": {"workspace": self.workspace, "version": self.version, "free": self.disk_free},
            "advice": [vars(each) for each in self.advice],
        }


def _memory_tree(step: StepMemory) -> dict[str, Any]:
    terms = {term.what: term.size for term in step.peak.terms}
    return {"step": step.step, "peak": step.size, "at": step.peak.name, "terms": terms}


def reloading_bytes(service: StepMemory) -> int:
    """What the service takes while it loads a new version beside the one that serves."""
    return 2 * service.size - service.peak.terms[0].size


def forecast(config: PipelineConfig, *, quick: bool, progress: Progress) -> Forecast:
    """Look at the log of `config`, and reckon.

    `quick`: only at its first million rows, and the rest is extrapolated. Raises as `survey_log` does.
    """
    resident = _resident_bytes()
    source = FileSource.of(config.log)
    estimated = source.estimate_rows()
    started = time.perf_counter()
    survey = survey_log(source, config.log, most_rows=_QUICK_ROWS if quick else None, progress=progress)
    seconds = time.perf_counter() - started
    give_back()
    surveyed = Surveyed.of(survey)
    rows = survey.rows if survey.whole else max(estimated, survey.rows)
    size = job_size(surveyed, config, rows=rows)
    return Forecast(
        size=size,
        steps=tuple(job_memory(size, config, resident=resident)),
        service=service_memory(size, config),
        available=available_bytes(),
        seconds=job_seconds(size, config, read_seconds=seconds * rows / survey.rows),
        workspace=workspace_bytes(size, config),
        version=version_bytes(size, config),
        disk_free=_disk_free(config),
        advice=tuple(advise(surveyed, config, rows=rows, resident=resident)),
    )


def _resident_bytes() -> int:
    """Python and the libraries, as they are in this process before it holds any data."""
    try:
        return int(_STATUS.read_text().split()[1]) * 4096
    except OSError:
        return _USUAL_RESIDENT


def _disk_free(config: PipelineConfig) -> int:
    """The less free of the disks of workspace and store."""
    return min(shutil.disk_usage(_existing(folder)).free for folder in (config.workspace, config.publish.store))


def _existing(folder: Path) -> Path:
    return next(each for each in (folder, *folder.parents) if each.exists())
