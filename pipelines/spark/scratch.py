"""Scratch: the folder of one step for what its tasks write, which the driver and every executor see."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recsys.pipeline_config import PipelineConfig
from recsys.storage import storage_errors


@contextmanager
def scratch_of(step: str, config: PipelineConfig) -> Iterator[Path]:
    """An empty folder for a step alone; what a killed run left in it is removed first, what this one leaves last.

    Raises StorageError if it cannot be made.
    """
    folder = config.compute.scratch_in(config.workspace) / step
    shutil.rmtree(folder, ignore_errors=True)
    with storage_errors(folder, doing="while the scratch folder was made"):
        folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
