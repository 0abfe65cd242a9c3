"""Leases: which versions of a cache the processes of this machine serve, known as long as they live.

Each process holds a lock on a file of its own, which names its versions; the system releases the lock when the
process ends, however it ends, and then the file counts no more.
"""

import fcntl
import os
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_FOLDER = ".leases"
_POLL_SECONDS = 0.05


class Leases:
    """The leases of one cache `folder`. Each process makes its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / _FOLDER
        self._descriptor: int | None = None
        self._path = self._folder / f"{os.getpid()}-{secrets.token_hex(4)}"

    def hold(self, versions: Iterable[str]) -> None:
        """This process serves `versions`, and no others. Raises OSError."""
        if self._descriptor is None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        content = "".join(f"{version}\n" for version in sorted(versions)).encode("ascii")
        os.pwrite(self._descriptor, content, 0)  # who reads meanwhile finds one too many, and never one too few
        os.ftruncate(self._descriptor, len(content))

    def release(self) -> None:
        """This process serves nothing any more."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
            self._path.unlink(missing_ok=True)

    def held(self) -> set[str]:
        """What all processes serve. Files of processes that ended are removed. Raises OSError."""
        found: set[str] = set()
        for path in self._folder.glob("*"):
            with suppress(FileNotFoundError):
                if _is_held(path):
                    found |= set(path.read_text("ascii").split())
                else:
                    path.unlink()
        return found


def _is_held(path: Path) -> bool:
    with try_lock(path) as locked:
        return not locked


@contextmanager
def try_lock(path: Path, *, wait: float = 0.0) -> Iterator[bool]:
    """Hold the lock of the file `path`, made if missing, if no other process does; whether it is held. OSError.

    `wait`: seconds to keep trying.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        yield _locked(descriptor, time.monotonic() + wait)
    finally:
        os.close(descriptor)


def _locked(descriptor: int, end: float) -> bool:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
            time.sleep(_POLL_SECONDS)
