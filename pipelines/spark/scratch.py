"""Scratch: folders of one step for what its tasks write, which the driver and every executor see."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from recsys.pipeline_config import PipelineConfig
from recsys.spark.executors import MARK, make_folder
from recsys.storage import storage_errors

_OF_STEPS = ("prepare", "evaluate", "export")
"""Not train: a run goes on from what is there."""


@contextmanager
def scratch_of(step: str, config: PipelineConfig) -> Iterator[Path]:
    """A new folder for a step alone, removed at the end.

    Its name is its own, because executors that a killed driver left may write for a while. Raises StorageError if it
    cannot be made.
    """
    place = config.compute.scratch_in(config.workspace)
    with storage_errors(place, doing="while the scratch folder was made"):
        make_folder(place)
        make_folder(folder := place / f"{step}-{uuid4().hex[:8]}")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers(config: PipelineConfig) -> None:
    """Remove what killed runs left of steps, and of looks at executors. The caller has the lock of the workspace."""
    place = config.compute.scratch_in(config.workspace)
    for step in _OF_STEPS:
        for left in place.glob(f"{step}*"):
            shutil.rmtree(left, ignore_errors=True)
    for left in place.glob(f"{MARK}*"):
        left.unlink(missing_ok=True)
