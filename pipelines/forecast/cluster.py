"""The same job on Spark: what the driver holds, what a task holds, how many core hours it takes, when it pays."""

import math
import os
from dataclasses import dataclass, replace

from pipelines.forecast.job_size import JobSize
from pipelines.forecast.terms import MIB
from recsys.pipeline_config import PipelineConfig

WORK_RATIO = 2.5
"""Core seconds on Spark per core second of one machine: 2.6 at 20 million events, 1.8 at 50 (docs/scale.md)."""

_LONGEST_HOURS, _NIGHT_HOURS = 12.0, 8.0
"""A job that takes longer on one machine is one for Spark, which is asked for enough cores to be done in a night."""

_PYTHON = 250 * MIB
"""A Python worker with numpy, pyarrow and the compiled solver."""

_ENTRY_BYTES = 20
"""Of a block: what Spark hands over (8), as Python holds it, and confidences beside it."""


@dataclass(frozen=True)
class OnSpark:
    """`task_bytes`: of the Python process of a task. `core_hours`: of all tasks of a night. `cores`: for 8 hours."""

    task_bytes: int
    core_hours: float
    cores: int


def of_driver(size: JobSize, config: PipelineConfig) -> JobSize:
    """The job that the driver itself works on: all items, and the users of the bounded sample."""
    share = min(1.0, config.compute.sample_events / max(size.events, 1))
    counts = ("rows", "accepted", "events", "users", "n_users", "entries", "pairs", "train_users", "eval_users")
    fewer = {name: math.ceil(getattr(size, name) * share) for name in (*counts, "co_occurrences", "co_users")}
    return replace(size, **fewer)


def on_spark(size: JobSize, config: PipelineConfig, seconds: dict[str, float]) -> OnSpark:
    """What the job takes there. `seconds`: of each step on this machine."""
    core_hours = WORK_RATIO * (os.cpu_count() or 1) * sum(seconds.values()) / 3600
    return OnSpark(_task_bytes(size, config), core_hours, max(1, math.ceil(core_hours / _NIGHT_HOURS)))


def _task_bytes(size: JobSize, config: PipelineConfig) -> int:
    """A block of rows, and the vectors that it names, or all of them if they are broadcast."""
    entries = min(config.compute.block_entries, size.entries)
    whole = 4 * config.model.factors * size.mapped_items
    named = 4 * config.model.factors * min(size.mapped_items, entries)
    vectors = whole if whole <= config.compute.broadcast_mib * MIB else named
    return _PYTHON + _ENTRY_BYTES * entries + vectors


def too_long(seconds: dict[str, float]) -> bool:
    """Whether a night on this machine takes longer than it should."""
    return sum(seconds.values()) > _LONGEST_HOURS * 3600
