"""What to change so that a job fits: settings tried one by one on the forecast itself."""

from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.forecast.job_size import job_size
from pipelines.forecast.sampled_degrees import Surveyed
from pipelines.forecast.steps import job_memory
from recsys.models.factors.als import AlsConfig
from recsys.models.factors.config import stops_early
from recsys.pipeline_config import PipelineConfig

_WORTH = 0.05
"""A change that saves less of the peak is not worth a line."""


@dataclass(frozen=True)
class Advice:
    """A setting, as the configuration has it, and the peak that the job would have with it, in bytes."""

    setting: str
    size: int


def advise(surveyed: Surveyed, config: PipelineConfig, *, rows: int, resident: int) -> list[Advice]:
    """Changes that would make the job smaller, what saves most first."""

    def peak(changed: PipelineConfig) -> int:
        size = job_size(surveyed, changed, rows=rows)
        return max(step.size for step in job_memory(size, changed, resident=resident))

    now = peak(config)
    tried = [Advice(setting, peak(changed)) for setting, changed in _changes(config)]
    return sorted((each for each in tried if each.size < now * (1 - _WORTH)), key=lambda each: each.size)


def _changes(config: PipelineConfig) -> Iterator[tuple[str, PipelineConfig]]:
    """One setting at a time; more of the same only where it is cheap for quality."""
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
    for name in config.evaluate.baselines:
        left = tuple(other for other in config.evaluate.baselines if other != name)
        yield f"evaluate.baselines without {name!r}", _with(config, "evaluate", baselines=left)
    if config.evaluate.max_users is None:
        yield "evaluate.max_users = 50000", _with(config, "evaluate", max_users=50_000)


def _with(config: PipelineConfig, section: str, **settings: object) -> PipelineConfig:
    changed = getattr(config, section).model_copy(update=settings)
    return config.model_copy(update={section: changed})
