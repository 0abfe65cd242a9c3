"""BucketRegistry: the registry of a store in an object store."""

import logging
import random
import re
import secrets
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from recsys.artifacts.bucket.mirror import Mirror
from recsys.artifacts.bucket.pointer import POINTER, Pointer, ReadPointer, Upload, parse_pointer
from recsys.artifacts.bucket.upload import signature_in, upload_version
from recsys.artifacts.bundle import Bundle
from recsys.artifacts.manifest import VERSION_PATTERN, Manifest
from recsys.artifacts.registry import Registry
from recsys.artifacts.signature import SigningKey
from recsys.artifacts.staging import VERSIONS
from recsys.errors import ArtifactError, ConflictError, ObjectStoreError
from recsys.objects import ObjectStore
from recsys.progress import Progress, silent

ATTEMPTS = 12
"""How often a change is made anew because another process was quicker."""

ABANDONED_SECONDS = 7 * 86_400.0
"""Age of the newest object of an upload that no pointer names, at which pruning deletes it."""

_LONGEST_UPLOAD = 86_400.0
_LONGEST_PAUSE = 2.0

Result = TypeVar("Result")

logger = logging.getLogger(__name__)


class BucketRegistry(Registry):
    """A store whose truth is one object. `store` is a mirror of it, which the methods of `Registry` read and change.

    Every change refreshes the mirror, is made there, and counts once the pointer was replaced on the condition that
    it is still the one that was read. If another process was quicker, the change is made anew on what that one left,
    so that its checks see it: `publish` then finds that another version serves, and raises SupersededError.
    A version exists once the pointer names it, which is after all of it was uploaded and read back.
    """

    def __init__(
        self,
        objects: ObjectStore,
        mirror: Path,
        *,
        lock_wait_seconds: float = 10.0,
        check: Callable[[Bundle], None] = lambda bundle: None,
        key: SigningKey | None = None,
        progress: Progress = silent,
    ) -> None:
        """`mirror`: a folder on this disk, which is made. The others are as those of `Registry`.

        Reads the pointer. Raises ArtifactError, also ObjectStoreError, if it cannot be read or is damaged.
        """
        super().__init__(mirror, lock_wait_seconds=lock_wait_seconds, check=check, key=key)
        self.objects = objects
        self._mirror = Mirror(objects, mirror, progress=progress)
        self._progress = progress
        self._versions: dict[str, Upload] = {}
        self._removed: tuple[str, ...] = ()
        self.refresh()

    def __str__(self) -> str:
        return str(self.objects)

    @property
    def pointer(self) -> Pointer:
        """As it was read last."""
        return self._mirror.pointer

    def refresh(self) -> None:
        """Let the mirror be as the store is now. Raises ArtifactError, also ObjectStoreError."""
        self._make_folder()
        with self.locked():
            self._mirror.refresh()
            self._mirror.collect()

    def place(self, name: str) -> str:
        """Where a small file is kept, for messages."""
        return f"{self.objects.path / POINTER} ({name})"

    def _make_folder(self) -> None:
        try:
            self.store.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ArtifactError(f"{self.store}: cannot be made: {error.strerror}") from error

    def names(self) -> list[str]:
        """The names of all versions, sorted."""
        return sorted(self.pointer.versions)

    def has(self, version: str) -> bool:
        """Whether the store has a version."""
        return version in self.pointer.versions

    def manifest(self, version: str) -> Manifest:
        """The manifest of a version; nothing else of it is downloaded. Raises ArtifactError if it is damaged."""
        upload = self.pointer.versions.get(version)
        return super().manifest(version) if upload is None else self._mirror.manifest(version, upload)

    def size(self, version: str) -> int:
        """Bytes of the files of a version."""
        return self.pointer.versions[version].size

    def path(self, version: str) -> Path:
        """The folder of a version in the mirror, downloaded and verified if it is not there.

        Raises ArtifactError if `version` cannot be a name; ObjectStoreError if it cannot be downloaded whole.
        """
        if re.fullmatch(VERSION_PATTERN, version) is None:
            raise ArtifactError(f"{self}: {version[:64]!r} is not a version's name, such as v0123456789abcdef")
        upload = self.pointer.versions.get(version)
        return self._local(version) if upload is None else self._mirror.version(version, upload)

    def _local(self, version: str) -> Path:
        return self.store / VERSIONS / version

    def add(self, version: str) -> None:
        """Upload a version that was sealed in the mirror, and let the pointer name it; it does not serve by that.

        If the store has the version already, perhaps with another date or report, that one counts.
        """
        self._mirror.disown(version)
        self.refresh()
        if self.has(version):
            self.path(version)  # takes the place of the one that was sealed here
            return
        began = time.monotonic()
        upload = upload_version(self.objects, self._local(version), progress=self._progress)
        if not self.changing(lambda: self._name(version, upload, began)):
            self.path(version)
        self._mirror.know(version, self.pointer.versions[version])

    def _name(self, version: str, upload: Upload, began: float) -> bool:
        """Let the pointer name an upload; False if another process has uploaded the same version meanwhile."""
        if time.monotonic() - began > _LONGEST_UPLOAD:  # pruning may take it for abandoned
            raise ArtifactError(f"{self}: {version} took more than a day to upload; it is not used")
        if version in self._versions:
            self._removed = (*self._removed, upload.folder)
            return False
        self._versions[version] = upload
        return True

    def changing(self, change: Callable[[], Result]) -> Result:
        """Call `change` on a fresh mirror, then replace the pointer if it is still what the mirror was made from.

        If it is not, `change` is called anew. Raises what `change` raises, and nothing has changed then;
        ConflictError if other processes were quicker each time; ObjectStoreError if the store fails, and then the
        message says if it is not known whether the change was made.
        """
        for attempt in range(ATTEMPTS):
            with self.locked():
                try:
                    return self._change(change)
                except ConflictError as error:
                    conflict = error
                    self._mirror.doubt()
                finally:
                    self._mirror.restore()
            time.sleep(random.uniform(0, min(self.objects.pause * 2**attempt, _LONGEST_PAUSE)))
        raise conflict

    def _change(self, change: Callable[[], Result]) -> Result:
        before = self._mirror.refresh()
        self._versions, self._removed = dict(before.versions), before.removed
        result = change()
        files = self._mirror.small_files()
        if (serving := self.current()) is not None and serving not in self._versions:
            raise ArtifactError(f"{self}: has no version {serving}; nothing was changed")
        if (self._versions, self._removed, files) != (before.versions, before.removed, before.files):
            self._push(before.changed(versions=self._versions, removed=self._removed, files=files))
        return result

    def _push(self, after: Pointer) -> None:
        if not self.pointer.number:
            check_conditions(self.objects)
        stored = self.objects.replace(
            POINTER,
            after.to_bytes(),
            before=self._mirror.read.stored,
            holds=lambda content: parse_pointer(POINTER, content).includes(after),
        )
        self._mirror.read = ReadPointer(parse_pointer(POINTER, stored.content), stored)
        self._mirror.collect()

    def set_aside(self, versions: Iterable[str]) -> None:
        """Let the pointer name versions no longer; call it in `changing`."""
        for version in versions:
            if (upload := self._versions.pop(version, None)) is not None:
                self._removed = (*self._removed, upload.folder)

    def delete_set_aside(self) -> None:
        """Delete the objects of versions that the pointer names no longer. Raises ArtifactError."""
        super().delete_set_aside()
        if not (removed := self.pointer.removed):
            return
        for folder in removed:
            self._delete(folder)
        self.changing(lambda: self._forget(removed))

    def _delete(self, folder: str) -> None:
        self.objects.delete([each.key for each in self.objects.list(folder)])

    def _forget(self, removed: tuple[str, ...]) -> None:
        self._removed = tuple(folder for folder in self._removed if folder not in removed)

    def delete_leftovers(self) -> None:
        """`delete_set_aside`; uploads that were abandoned go too, and what stopped jobs left in the mirror."""
        super().delete_leftovers()
        self.delete_set_aside()
        for folder, modified in self._unnamed().items():
            if time.time() - modified > ABANDONED_SECONDS:
                logger.warning("%s: removing an upload that was abandoned", self.objects.path / folder)
                self._delete(folder)

    def _unnamed(self) -> dict[str, float]:
        """The folders of uploads that no pointer names, and when something was last written into each."""
        self.refresh()
        named = {upload.folder for upload in self.pointer.versions.values()}
        newest: dict[str, float] = {}
        for each in self.objects.list(VERSIONS):
            folder = "/".join(each.key.split("/")[:3])
            newest[folder] = max(each.modified, newest.get(folder, 0.0))
        return {folder: modified for folder, modified in newest.items() if folder not in named}

    def sign(self, version: str, key: SigningKey) -> None:
        """Sign a version; the pointer holds the signature."""
        super().sign(version, key)
        signature = signature_in(self.path(version))

        def name() -> None:
            if (upload := self._versions.get(version)) is None:
                raise ArtifactError(f"{self}: {version} was removed meanwhile")
            self._versions[version] = upload.model_copy(update={"signature": signature})

        self.changing(name)


def check_conditions(objects: ObjectStore) -> None:
    """Raise ObjectStoreError unless the store keeps to the conditions of writes; a small object comes and goes."""
    key = f".conditions-{secrets.token_hex(8)}"
    first = objects.replace(key, b"1", before=None)
    try:
        objects.replace(key, b"2", before=first)
        for before, header in ((None, "If-None-Match"), (first, "If-Match")):
            try:
                objects.replace(key, b"3", before=before)
            except ConflictError:
                continue
            raise ObjectStoreError(
                f"{objects}: the store ignores {header}, so that two publishers could overwrite each other; expected "
                "one that keeps to them, as Amazon S3, Google Cloud Storage, Azure, MinIO and Ceph do",
                "failed",
            )
    finally:
        objects.delete([key])
