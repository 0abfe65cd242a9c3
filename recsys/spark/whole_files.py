"""Files that appear whole, because a task may run twice at once: written beside their place, and renamed."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from recsys.storage import storage_errors

_DOING = "while a task of Spark wrote its part"
_UNFINISHED = re.compile(r"\..+\.[0-9a-f]{32}")


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """Where to write what is at `path` when the block ends. Two attempts of a task write the same, so either may win.

    Raises StorageError if the disk is full.
    """
    fresh = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with storage_errors(path.parent, doing=_DOING):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield fresh
            fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def remove_unfinished(folder: Path) -> None:
    """Remove from `folder` what tasks were writing whose processes were killed; others have written it anew."""
    for path in folder.rglob(".*"):
        if _UNFINISHED.fullmatch(path.name):
            path.unlink(missing_ok=True)


def write_parquet(table: pa.Table | pa.RecordBatch, path: Path) -> None:
    """Write one Parquet file, which appears whole. Raises StorageError if the disk is full."""
    whole = pa.Table.from_batches([table]) if isinstance(table, pa.RecordBatch) else table
    with appearing(path) as fresh:
        pq.write_table(whole, fresh, compression="zstd", compression_level=1)


def write_npy(array: NDArray[np.generic], path: Path) -> None:
    """Write one npy file, which appears whole. Raises StorageError if the disk is full."""
    with appearing(path) as fresh, fresh.open("wb") as file:
        np.save(file, array, allow_pickle=False)
