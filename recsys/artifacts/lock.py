"""One writer at a time, across processes."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

from recsys.errors import ArtifactError

_POLL_SECONDS = 0.05


@contextmanager
def exclusive(path: Path, *, doing: str, wait: float = 0.0) -> Iterator[None]:
    """Hold the lock file `path`; the system releases it when the process ends, however it ends.

    `wait`: seconds to keep trying. `doing`: what the holder does, for the other process's error message.
    Raises ArtifactError if another process (or thread) still holds it, or if it cannot be opened.
    """
    with _opened(path) as file:
        if not _acquired(file.fileno(), time.monotonic() + wait):
            file.seek(0)
            holder = file.read().decode("ascii", "replace") or "unknown"
            raise ArtifactError(f"{path}: another process ({holder}) is {doing}; try again when it has finished")
        with suppress(OSError):  # a full disk does not prevent the lock, only the name of its holder
            file.truncate(0)
            file.write(f"pid {os.getpid()}".encode("ascii"))
        yield


def _opened(path: Path) -> FileIO:
    try:
        return path.open("a+b", buffering=0)
    except OSError as error:
        raise ArtifactError(f"{path}: the lock file cannot be opened: {error.strerror}") from error


def _acquired(descriptor: int, deadline: float) -> bool:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_SECONDS)
