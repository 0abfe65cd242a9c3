"""What the parent of a job has to know of its configuration."""

from pathlib import Path

from pipelines.bounded.endings import named
from pipelines.bounded.reports import tell
from pipelines.steps.store import store_folder
from recsys.config import ResourcesConfig
from recsys.export import Target
from recsys.export.files import FileTarget
from recsys.pipeline_config import PipelineConfig
from recsys.remote import RemotePath

NO_LIMIT = float(10**9)
"""Seconds that no job takes."""


def tell_job(config: PipelineConfig, *, timed: bool = True) -> None:
    """Tell the parent the limits of a job, and where it works. `timed`: `resources.time` holds."""
    tell(limits=_limits(config.resources, timed), workspace=str(config.workspace))
    if isinstance(config.publish.store, Path):
        tell_store(config.publish.store)
    else:
        tell(store=str(store_folder(config)), address=str(config.publish.store))


def tell_store(store: Path | RemotePath) -> None:
    """Tell the parent where versions are, and which of them serves now."""
    if isinstance(store, Path):
        tell(store=str(store), serving=named(store))
    else:
        tell(address=str(store))


def tell_targets(*targets: Target) -> None:
    """Tell the parent which files lists are written into until they are whole."""
    tell(unfinished=[str(target.unfinished) for target in targets if isinstance(target, FileTarget)])


def _limits(resources: ResourcesConfig, timed: bool) -> dict[str, float | None]:
    return {
        "memory": None if resources.memory_gib is None else resources.memory_gib * 2**30,
        "seconds": float(resources.time) if timed else NO_LIMIT,
        "stall": float(resources.stall),
    }
