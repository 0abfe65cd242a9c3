"""Crashes of workers by version: which ended by a fatal signal, counted by the files in which they left their trace.

Python's faulthandler writes the stack of a process into a file when a fatal signal ends it. Each worker has a file of
its own, named after the version that began to serve last, so workers share the count without a lock, and a process
that was killed from outside (SIGKILL, out of memory) leaves an empty one, which does not count.
"""

import faulthandler
import hashlib
import logging
import os
import tempfile
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

WITHIN_SECONDS = 3600.0
"""Crashes that are older do not count."""

MOST = 3
"""So many crashes of one version lead back to the version before."""

_FOLDER, _KEPT_SECONDS = ".crashes", 7 * 86_400.0

logger = logging.getLogger(__name__)


class Crashes:
    """The crashes of one store's versions, in a folder of the store, or if it is read-only in a temporary one.

    `begin` is called before a version is loaded, so that a crash while loading counts too. Of several stores in one
    process, a crash counts for the version that began last.
    """

    _begun_last: ClassVar["Crashes | None"] = None

    def __init__(self, store: Path) -> None:
        self._store = store
        self._token = uuid.uuid4().hex
        self._path: Path | None = None
        self._descriptor = -1

    def begin(self, version: str) -> None:
        """From now on a fatal signal in this process is a crash of `version`."""
        folder = self._folder()
        if folder is None:
            return
        try:
            path = folder / f"{version}.{self._token}"
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            logger.warning("%s: crashes are not counted: %s", folder, error.strerror)
            return
        faulthandler.enable(descriptor, all_threads=True)
        Crashes._begun_last = self
        self._leave_file(but=path)
        self._path, self._descriptor = path, descriptor

    def end(self) -> None:
        """This process ends, or serves the store no longer."""
        if Crashes._begun_last is self:
            faulthandler.disable()
            Crashes._begun_last = None
        self._leave_file()

    def count(self, version: str) -> int:
        """How often a process crashed while it served `version`, within the last hour."""
        return sum(_is_crash(path) for path in self._found() if path.name.startswith(f"{version}."))

    def _leave_file(self, but: Path | None = None) -> None:
        if (path := self._path) is None:
            return
        os.close(self._descriptor)
        self._path = None
        if path != but:
            with suppress(OSError):
                if path.stat().st_size == 0:
                    path.unlink()

    def _found(self) -> list[Path]:
        with suppress(OSError):
            return [path for folder in self._folders() if folder.is_dir() for path in folder.iterdir()]
        return []

    def _folder(self) -> Path | None:
        """The first of the folders that can be written to, without what is old; None if there is none."""
        for folder in self._folders():
            with suppress(OSError):
                folder.mkdir(mode=0o700, exist_ok=True)
                if folder.is_symlink() or folder.stat().st_uid not in (os.getuid(), 0):
                    continue
                if os.access(folder, os.W_OK | os.X_OK):
                    _forget_old(folder)
                    return folder
        return None

    def _folders(self) -> tuple[Path, Path]:
        name = hashlib.sha256(os.fsencode(self._store.absolute())).hexdigest()[:16]
        return self._store / _FOLDER, Path(tempfile.gettempdir()) / f"recsys-crashes-{os.getuid()}-{name}"


def _is_crash(path: Path) -> bool:
    with suppress(OSError):
        found = path.stat()
        return found.st_size > 0 and time.time() - found.st_mtime < WITHIN_SECONDS
    return False


def _forget_old(folder: Path) -> None:
    for path in folder.iterdir():
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _KEPT_SECONDS:
                path.unlink()
