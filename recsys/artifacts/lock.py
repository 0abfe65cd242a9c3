"""One writer at a time, across processes."""

import errno
import fcntl
import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path

from recsys.errors import ArtifactError

POINTER_LOCK = ".pointer.lock"
"""The store's file that is locked while the pointer moves."""

_POLL_SECONDS = 0.05
_LONGEST_HOST = 64
_LONGEST_HOLDER = 256


@contextmanager
def exclusive(path: Path, *, doing: str, wait: float = 0.0) -> Iterator[None]:
    """Hold the lock file `path`; the system releases it when the process ends, however it ends.

    `wait`: seconds to keep trying. `doing`: what the holder does, for the other process's error message.
    The file names the holder: its process, its host, and since when, in UTC.
    Raises ArtifactError, which names the holder, if another process (or thread) still holds it, or if it cannot be
    opened.
    """
    with _opened(path) as file:
        if not _acquired(file.fileno(), time.monotonic() + wait):
            file.seek(0)
            holder = file.read(_LONGEST_HOLDER).decode("ascii", "replace") or "unknown"
            raise ArtifactError(f"{path}: another process ({holder}) is {doing}; try again when it has finished")
        with suppress(OSError):  # a full disk does not prevent the lock, only the name of its holder
            file.truncate(0)
            file.write(_holder().encode("ascii", "replace"))
        yield


def _holder() -> str:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return f"pid {os.getpid()} on {socket.gethostname()[:_LONGEST_HOST]} since {since}"


def _opened(path: Path) -> FileIO:
    try:
        return open(path, "a+b", buffering=0, opener=_plain)
    except OSError as error:
        raise ArtifactError(f"{path}: the lock file cannot be opened: {error.strerror}") from error


def _plain(path: str, flags: int) -> int:
    """Opened without waiting; raises OSError if it is a link or a pipe."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "is a pipe", path)


def _acquired(descriptor: int, deadline: float) -> bool:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_SECONDS)
