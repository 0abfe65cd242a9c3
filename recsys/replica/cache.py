"""Cache: the versions of an object store that are on this machine, in a folder of the form of a store, bounded."""

import hashlib
import logging
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from recsys.artifacts.files import list_files, replace_durably, sync
from recsys.artifacts.manifest import VERSION_PATTERN
from recsys.artifacts.staging import VERSIONS
from recsys.config.serve import Users
from recsys.errors import ArtifactError
from recsys.plain_files import read_plain
from recsys.remote.remote_path import RemotePath
from recsys.replica.leases import Leases

SET_ASIDE = ".evicted-"
"""Begins the name of a version's folder that is being deleted."""

CHANGING = ".changing-"
"""Begins the name of a folder in which a change of the object store is made."""

_SUSPECT = ".suspect-"
_LONGEST_CHANGE = 86_400.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Bounds:
    """How much a cache keeps: `versions`, at least 1, and `size` in bytes, None for as much as the disk holds.

    What is needed stays, whatever the bounds say.
    """

    versions: int = 3
    size: int | None = None


def cache_folder(root: Path, path: RemotePath, users: Users | None) -> Path:
    """The folder below `root` of the store at `path`, another one for each address, endpoint and form of users."""
    options = dict(path.target.options)
    place = "\n".join((str(path.location), options.get("endpoint_override", ""), users or ""))
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", f"{path.target.host}/{path.key}").strip("-.")[:60]
    return root / f"{readable}-{hashlib.sha256(place.encode()).hexdigest()[:12]}"


class Cache:
    """The cache in `folder`. Only the process that holds the lock of the replica changes it."""

    def __init__(self, folder: Path, bounds: Bounds) -> None:
        self.folder = folder
        self.versions = folder / VERSIONS
        self._bounds = bounds
        self._leases = Leases(folder)

    def names(self) -> list[str]:
        """The versions, the one that was used longest ago first. Raises OSError."""
        found = [path for path in self._entries() if re.fullmatch(VERSION_PATTERN, path.name)]
        return [path.name for path in sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name))]

    def size(self, version: str) -> int:
        """Bytes of a version's files, 0 if it is not here."""
        folder = self.versions / version
        try:
            return sum((folder / name).stat().st_size for name in list_files(folder))
        except (OSError, ArtifactError):
            return 0

    def used_now(self, version: str) -> None:
        """The version is the one that was used last."""
        with suppress(OSError):
            os.utime(self.versions / version)

    def make_room(self, coming: int, *, needed: set[str]) -> list[str]:
        """Remove versions until `coming` bytes more fit; what was removed.

        `needed` versions, and those that a process serves, stay. If it does not fit all the same, it is the caller
        that fails. Raises OSError.
        """
        return self._evict(needed, coming=coming, n_coming=1 if coming else 0)

    def keep_only(self, known: set[str], *, needed: set[str]) -> list[str]:
        """Remove what the store does not know any more, then what is beyond the bounds; what was removed. OSError."""
        safe = needed | self._leases.held()
        gone = [version for version in self.names() if version not in known | safe]
        for version in gone:
            self.remove(version)
        return [*gone, *self._evict(needed, coming=0, n_coming=0)]

    def _evict(self, needed: set[str], *, coming: int, n_coming: int) -> list[str]:
        safe, removed = needed | self._leases.held(), []
        for version in [name for name in self.names() if name not in safe]:
            if self._fits(coming, n_coming):
                break
            self.remove(version)
            removed.append(version)
        return removed

    def _fits(self, coming: int, n_coming: int) -> bool:
        names = self.names()
        if len(names) + n_coming > self._bounds.versions:
            return False
        if self._bounds.size is not None and sum(map(self.size, names)) + coming > self._bounds.size:
            return False
        return coming <= shutil.disk_usage(self.folder).free

    def remove(self, version: str) -> None:
        """Remove a version in one rename, then its files. Whoever has mapped them keeps them. Raises OSError."""
        aside = self.versions / f"{SET_ASIDE}{version}-{secrets.token_hex(4)}"
        (self.versions / version).rename(aside)
        sync(self.versions)
        _delete(aside)

    def clean(self, incoming: str) -> None:
        """Remove what a process left that was killed; `incoming` begins the names of downloads. Raises OSError."""
        left = [path for path in self._entries() if path.name.startswith(SET_ASIDE)]
        left += [path for path in self.folder.glob(f"{CHANGING}*") if _age(path) > _LONGEST_CHANGE]
        for path in (*left, *self.folder.glob(f"{incoming}*")):
            _delete(path)

    def suspect(self, version: str) -> None:
        """A version could not be loaded: its files are to be verified. Any process may say so."""
        with suppress(OSError):
            (self.folder / f"{_SUSPECT}{version}").touch()

    def suspects(self) -> list[str]:
        """The versions that are to be verified. Raises OSError."""
        names = (path.name.removeprefix(_SUSPECT) for path in self.folder.glob(f"{_SUSPECT}*"))
        return sorted(name for name in names if re.fullmatch(VERSION_PATTERN, name))

    def trust(self, version: str) -> None:
        """A version was verified, or is gone."""
        (self.folder / f"{_SUSPECT}{version}").unlink(missing_ok=True)

    def text(self, name: str) -> str | None:
        """A small file beside the versions, None if there is none or it cannot be read."""
        with suppress(OSError, UnicodeDecodeError):
            return read_plain(self.folder / name).decode()
        return None

    def put(self, name: str, text: str | None) -> bool:
        """Replace a small file in one rename if it is another one, None removes it; whether it was. OSError."""
        path = self.folder / name
        if text == self.text(name) and (text is not None or not path.exists()):
            return False
        if text is None:
            path.unlink(missing_ok=True)
            sync(self.folder)
        else:
            replace_durably(path, text.encode())
        return True

    def _entries(self) -> Iterator[Path]:
        return self.versions.iterdir() if self.versions.is_dir() else iter(())


def _age(path: Path) -> float:
    return time.time() - path.stat().st_mtime


def _delete(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)
