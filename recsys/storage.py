"""Storage errors: a full, read-only or missing folder becomes an error that names it."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recsys.errors import StorageError

_MIB = 1 << 20


@contextmanager
def storage_errors(folder: Path, *, doing: str) -> Iterator[None]:
    """Turn an OSError into a StorageError that says where, what is wrong, what was being done, and how much is free.

    `folder`: named if the error names no file; it may be a file itself. `doing`: as "while the index was written".
    """
    try:
        yield
    except OSError as error:
        place = _place(error, folder)
        raise StorageError(f"{place}: {reason(error, folder)}, {doing}{_free(folder)}") from error


def reason(error: OSError, folder: Path) -> str:
    """What an OSError says, without the path and without what the library around it adds.

    numpy has no error number for an array that was written in part; then it is the disk if `folder` has no room left.
    """
    if error.errno is not None:
        return os.strerror(error.errno)
    free = _free_bytes(folder)
    return os.strerror(errno.ENOSPC) if free is not None and free < _MIB else f"could not be written ({error})"


def _place(error: OSError, folder: Path) -> str:
    return os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else str(folder)


def _free(folder: Path) -> str:
    free = _free_bytes(folder)
    return "" if free is None else f" ({free / _MIB:,.1f} MiB are free)"


def _free_bytes(folder: Path) -> int | None:
    """Bytes free for `folder`, or for the nearest folder above it that exists."""
    existing = next((path for path in (folder, *folder.parents) if path.is_dir()), None)
    try:
        return None if existing is None else shutil.disk_usage(existing).free
    except OSError:
        return None
