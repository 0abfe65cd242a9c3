"""Mirror: a folder on this disk that looks like the store that an object store holds, as of when it was refreshed.

It holds the small files as the pointer has them, and the versions that were needed here. Only the pointer counts:
what a mirror holds is written over at each refresh, and may be deleted at any time.
"""

import hashlib
import logging
import os
import re
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from recsys.artifacts.bucket.download import (
    INCOMING,
    download_manifest,
    download_version,
    is_complete,
    write_signature,
)
from recsys.artifacts.bucket.pointer import SMALL_FILES, Pointer, ReadPointer, Upload, read_pointer
from recsys.artifacts.files import make_durable_folder, replace_durably
from recsys.artifacts.manifest import MANIFEST, VERSION_PATTERN, Manifest, read_manifest
from recsys.artifacts.set_aside import delete_set_aside, set_aside
from recsys.artifacts.staging import VERSIONS
from recsys.errors import ArtifactError
from recsys.objects import ObjectStore
from recsys.plain_files import read_plain
from recsys.progress import Progress, silent

KNOWN = "known"
"""The folder of the manifests of uploaded versions: what is in it was in the object store once."""

_STALE_SECONDS = 86_400.0
_MOST_BYTES = 2**30
_PRIVATE = 0o600

logger = logging.getLogger(__name__)


class Mirror:
    """The folder of one store. Several processes may share it: its files are replaced in one rename each."""

    def __init__(self, objects: ObjectStore, folder: Path, *, progress: Progress = silent) -> None:
        """`folder`: made for the owner alone. `progress`: of downloads. Nothing is asked yet."""
        self.objects = objects
        self.folder = folder
        self.read = ReadPointer()
        self._is_doubted = False
        self._progress = progress

    @property
    def pointer(self) -> Pointer:
        """As it was read last."""
        return self.read.pointer

    def refresh(self) -> Pointer:
        """Read the pointer, and let the small files be as it says. Raises ArtifactError, also ObjectStoreError."""
        self.read = read_pointer(self.objects, known=None if self._is_doubted else self.read)
        self._is_doubted = False
        self.restore()
        return self.pointer

    def doubt(self) -> None:
        """Read the pointer whole at the next refresh, though its ETag may be the one that is known.

        Google's ETag is of the content, and its conditions are of the generation: a pointer that was put back has an
        ETag that is known and a generation that is not.
        """
        self._is_doubted = True

    def restore(self) -> None:
        """Let the small files, and the versions that there are, be as the pointer said last. Raises ArtifactError."""
        try:
            make_durable_folder(self.folder / VERSIONS)
            for name in SMALL_FILES:
                _write(self.folder / name, self.pointer.files.get(name))
            for version, upload in self.pointer.versions.items():
                if is_complete(folder := self.folder / VERSIONS / version, upload):
                    write_signature(folder, upload)
        except OSError as error:
            raise ArtifactError(f"{error.filename or self.folder}: could not be written: {error.strerror}") from error

    def small_files(self) -> dict[str, str]:
        """The small files as they are in the folder. Raises ArtifactError if one cannot be read, or is no text."""
        found = {}
        for name in SMALL_FILES:
            try:
                found[name] = read_plain(self.folder / name, most=_MOST_BYTES).decode()
            except FileNotFoundError:
                continue
            except (OSError, UnicodeDecodeError) as error:
                raise ArtifactError(f"{self.folder / name}: cannot be read: {error}") from error
        return found

    def version(self, version: str, upload: Upload) -> Path:
        """The folder of a version, downloaded if it is not here. Raises as `download_version`."""
        folder = download_version(self.objects, version, upload, self.folder / VERSIONS, progress=self._progress)
        self.know(version, upload)
        return folder

    def manifest(self, version: str, upload: Upload) -> Manifest:
        """The manifest of a version, downloaded if it is not here. Raises ArtifactError."""
        self.know(version, upload)
        return read_manifest(self.folder / KNOWN / version)

    def know(self, version: str, upload: Upload) -> None:
        """Keep the manifest of an upload, by which a later refresh knows that the version was in the store."""
        folder = self.folder / KNOWN / version
        if is_complete(folder, upload):
            return
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if is_complete(here := self.folder / VERSIONS / version, upload):
                for name in (f"{MANIFEST}.sha256", MANIFEST):
                    replace_durably(folder / name, read_plain(here / name))
            else:
                download_manifest(self.objects, version, upload, folder)
        except OSError as error:
            raise ArtifactError(f"{error.filename or folder}: could not be written: {error.strerror}") from error

    def disown(self, version: str) -> None:
        """Forget that a version was in the object store once, because it was sealed here anew."""
        shutil.rmtree(self.folder / KNOWN / version, ignore_errors=True)

    def collect(self) -> None:
        """Delete the versions that the store has no longer, and what stopped processes left; call it while locked."""
        gone = [name for name in _names(self.folder / KNOWN) if name not in self.pointer.versions]
        known = {*_names(self.folder / KNOWN), *self.pointer.versions}
        abandoned = [name for name in _names(self.folder / VERSIONS) if name not in known and self._is_stale(name)]
        if gone or abandoned:
            set_aside(self.folder, (*gone, *abandoned))
            delete_set_aside(self.folder)
        for version in gone:
            shutil.rmtree(self.folder / KNOWN / version, ignore_errors=True)
        for left in self.folder.glob(f"{INCOMING}*"):
            if _age(left) > _STALE_SECONDS:
                shutil.rmtree(left, ignore_errors=True)

    def _is_stale(self, version: str) -> bool:
        """Whether a version was sealed here long ago and never uploaded: its job was stopped."""
        return _age(self.folder / VERSIONS / version) > _STALE_SECONDS


def default_folder(objects: ObjectStore, environ: Mapping[str, str] = os.environ) -> Path:
    """Where a command keeps the mirror of a store: below $RECSYS_STORE_CACHE, $XDG_CACHE_HOME/recsys or ~/.cache."""
    cache = environ.get("RECSYS_STORE_CACHE")
    home = environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return (Path(cache) if cache else Path(home) / "recsys" / "stores") / _digest(objects)


def _digest(objects: ObjectStore) -> str:
    where = f"{objects.path.location} {objects.path.target.options}"
    return hashlib.sha256(where.encode()).hexdigest()[:16]


def _write(path: Path, text: str | None) -> None:
    """Let a file hold `text`; None: let there be none. It is left alone if it does already."""
    if text is None:
        path.unlink(missing_ok=True)
        return
    content = text.encode()
    with suppress(OSError):
        if read_plain(path, most=_MOST_BYTES) == content:
            return
    replace_durably(path, content)
    path.chmod(_PRIVATE)


def _names(folder: Path) -> list[str]:
    """The names of versions that have a folder in `folder`."""
    found = folder.iterdir() if folder.is_dir() else iter(())
    return sorted(path.name for path in found if re.fullmatch(VERSION_PATTERN, path.name))


def _age(path: Path) -> float:
    """Seconds since a file or folder was changed; 0 if it is gone."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0
