"""Following: what the pointer of an object store names comes into the cache, in an order that readers can bear."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from recsys.artifacts.bucket.download import INCOMING, download_version, is_complete, write_signature
from recsys.artifacts.bucket.pointer import SMALL_FILES, Pointer, ReadPointer, read_pointer
from recsys.artifacts.bundle import unneeded_files, verify_bundle
from recsys.artifacts.hold import Hold
from recsys.artifacts.manifest import read_manifest
from recsys.config.serve import Users
from recsys.errors import ArtifactError, RecsysError
from recsys.experiments.plan import Experiment
from recsys.objects import ObjectStore, Stored
from recsys.progress import Progress, silent
from recsys.replica.cache import Cache
from recsys.replica.status import StatusFile

EXTRA_FILES = ("scenarios.toml",)
"""Objects beside the pointer that are brought along: the named pages of the store."""

logger = logging.getLogger(__name__)


class Following:
    """Brings what the store of `objects` names into `cache`, and counts it in `status`.

    Versions come before CURRENT, HISTORY, HOLD and EXPERIMENT, which name them; FORGOTTEN comes before all. Only the
    process that has the lock of the replica follows.
    """

    def __init__(
        self,
        objects: ObjectStore,
        cache: Cache,
        status: StatusFile,
        *,
        users: Users | None = None,
        progress: Progress = silent,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._objects, self._cache, self._status = objects, cache, status
        self._users = users
        self._progress, self._clock = progress, clock
        self._followed: ReadPointer | None = None
        self._extra: dict[str, Stored | None] = {}
        self._is_clean = False
        self._staged_at = 0.0

    def follow(self) -> bool:
        """Bring everything here; whether anything has changed. Raises RecsysError, OSError; what came stays."""
        if not self._is_clean:
            self._cache.clean(INCOMING)
            self._is_clean = True
        self._verify_suspects()
        read = read_pointer(self._objects, known=self._followed)
        pointer = read.pointer
        if read is self._followed and self._is_whole(pointer):
            return self._put_extra_files()
        if pointer.serving is None and self._cache.text("CURRENT") is not None:
            raise ArtifactError(f"{self._objects}: nothing is published there any more, though versions have served")
        changed = self._cache.put("FORGOTTEN", pointer.files.get("FORGOTTEN"))
        needed, n_before = _needed(pointer), self._status.now.n_downloads
        failed = [error for version in needed if (error := self._bring(version, pointer, {*needed})) is not None]
        changed |= self._status.now.n_downloads > n_before
        if failed and pointer.serving is not None and not self._has(pointer.serving, pointer):
            raise failed[0]
        changed |= self._point(pointer)
        self._cache.keep_only({*pointer.versions}, needed={*needed})
        if failed:
            raise failed[0]
        self._followed = read
        return self._put_extra_files() or changed

    def _verify_suspects(self) -> None:
        """Every file of a suspected version is read; one that is damaged is removed, and then is downloaded anew."""
        for version in self._cache.suspects():
            folder = self._cache.versions / version
            if folder.exists():
                try:
                    verify_bundle(folder, users=self._users)
                except ArtifactError as error:
                    logger.error("the cache is damaged; %s is downloaded again: %s", version, error)
                    self._cache.remove(version)
                    self._status.change(n_damaged=self._status.now.n_damaged + 1)
            self._cache.trust(version)

    def _bring(self, version: str, pointer: Pointer, needed: set[str]) -> Exception | None:
        """Download a version unless it is here; what went wrong."""
        upload, started = pointer.versions.get(version), self._clock()
        if upload is None:
            return ArtifactError(f"{self._objects}: {version} is named there, and is none of its versions")
        try:
            if self._has(version, pointer):
                write_signature(self._cache.versions / version, upload)  # it may have been signed since
                return None
            if is_complete(self._cache.versions / version, upload):  # without files that are needed now
                self._cache.remove(version)
            self._cache.make_room(upload.size, needed=needed | self._pointed())
            leave_out = partial(unneeded_files, users=self._users)
            download_version(
                self._objects,
                version,
                upload,
                self._cache.versions,
                progress=self._show,
                leave_out=leave_out,
            )
        except (RecsysError, OSError) as error:
            return error
        size, seconds = self._cache.size(version), self._clock() - started
        self._cache.used_now(version)
        before = self._status.now
        self._status.change(n_downloads=before.n_downloads + 1, downloaded_bytes=before.downloaded_bytes + size)
        logger.info("%s: downloaded %s, %.1f MiB in %.1f s", self._objects, version, size / 2**20, seconds)
        return None

    def _has(self, version: str, pointer: Pointer) -> bool:
        """Whether a version is here with every file that is needed; only its manifest is compared."""
        folder, upload = self._cache.versions / version, pointer.versions.get(version)
        if upload is None or not is_complete(folder, upload):
            return False
        manifest = read_manifest(folder)
        needed = {*manifest.files} - unneeded_files(manifest, self._users)
        return all((folder / name).is_file() for name in needed)

    def _is_whole(self, pointer: Pointer) -> bool:
        return all(self._has(version, pointer) for version in _needed(pointer)) and not self._unlike(pointer)

    def _unlike(self, pointer: Pointer) -> list[str]:
        return [name for name in SMALL_FILES if self._cache.text(name) != pointer.files.get(name)]

    def _point(self, pointer: Pointer) -> bool:
        """Let the files beside the versions say what the pointer says; CURRENT comes last.

        The first CURRENT comes first, because HISTORY alone would mean that it was lost.
        """
        changed, is_first = False, self._cache.text("CURRENT") is None
        for name in sorted(SMALL_FILES, key=lambda name: (name == "CURRENT") != is_first):
            changed |= self._cache.put(name, pointer.files.get(name))
        if pointer.serving is not None:
            self._cache.used_now(pointer.serving)
        return changed

    def _pointed(self) -> set[str]:
        """The version that CURRENT names here: it serves until the next one is complete."""
        return set((self._cache.text("CURRENT") or "").split())

    def _put_extra_files(self) -> bool:
        changed = False
        for name in EXTRA_FILES:
            before = self._extra.get(name)
            found = self._objects.read(name, known=before)
            if name in self._extra and found is before:
                continue
            changed |= self._cache.put(name, None if found is None else found.content.decode("utf-8", "replace"))
            self._extra[name] = found
        return changed

    def _show(self, stage: str, done: float, total: float | None) -> None:
        self._progress(stage, done, total)
        if self._clock() - self._staged_at >= 1 or done == total:
            self._staged_at = self._clock()
            self._status.change(stage=f"{stage}: {done / 2**20:,.0f} of {(total or 0) / 2**20:,.0f} MiB")


def _needed(pointer: Pointer) -> list[str]:
    """The version that serves, those of a running experiment, and the one that is held, each once."""
    found = [] if pointer.serving is None else [pointer.serving]
    with suppress(ValueError):
        experiment = Experiment.model_validate_json(pointer.files.get("EXPERIMENT", ""))
        found += sorted(experiment.versions) if experiment.runs else []
    with suppress(ValueError):
        found.append(Hold.model_validate_json(pointer.files.get("HOLD", "")).version)
    return list(dict.fromkeys(found))
