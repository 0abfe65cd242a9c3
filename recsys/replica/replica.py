"""Replica: looks at a store in an object store, and brings what it names into a cache of the form of a store."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from recsys.artifacts.bucket.download import INCOMING, download_version, is_complete, write_signature
from recsys.artifacts.bucket.pointer import SMALL_FILES, Pointer, ReadPointer, read_pointer
from recsys.artifacts.bucket.registry import BucketRegistry
from recsys.artifacts.bundle import Bundle, unneeded_files, verify_bundle
from recsys.artifacts.files import make_durable_folder
from recsys.artifacts.hold import Hold
from recsys.artifacts.manifest import read_manifest
from recsys.artifacts.signature import SigningKey
from recsys.config.serve import Users
from recsys.errors import ArtifactError, ObjectFault, ObjectStoreError, RecsysError, StorageError
from recsys.experiments.plan import Experiment
from recsys.objects import ObjectStore, Stored
from recsys.progress import Progress, silent
from recsys.replica.cache import CHANGING, Bounds, Cache
from recsys.replica.leases import try_lock
from recsys.replica.status import Status, read_status, write_status
from recsys.storage import storage_errors

EXTRA_FILES = ("scenarios.toml",)
"""Objects beside the pointer that are brought along: the named pages of the store."""

WAIT_SECONDS = 10.0
"""How long an operator's change waits for a look that is under way."""

_LOCK = ".replica.lock"
_FAULTS: dict[ObjectFault, str] = {
    "unavailable": "the object store does not answer",
    "denied": "the object store denies access",
    "missing": "the bucket, or an object of the version, is missing",
    "damaged": "what came from the object store is not what was published",
    "failed": "the object store refuses",
}

logger = logging.getLogger(__name__)


class Replica:
    """Follows the store at the address of `objects` into the cache `folder`, which is served as any store is.

    A version appears in the cache in one rename, after every hash was compared; the files beside the versions
    (CURRENT, HISTORY, HOLD, EXPERIMENT) change after the versions that they name are here, FORGOTTEN before. If
    anything fails, what is here stays. Several processes may have the same folder: one of them looks at a time, and
    the others find what it brought.

    `users`: with "fold_in", or None and a version whose configuration says so, the vectors of users are left out.
    `progress`: told of downloads. `clock`: UTC seconds.
    """

    def __init__(
        self,
        objects: ObjectStore,
        folder: Path,
        *,
        bounds: Bounds | None = None,
        users: Users | None = None,
        progress: Progress = silent,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.folder = folder
        self._objects = objects
        self._cache = Cache(folder, bounds or Bounds())
        self._users = users
        self._progress, self._clock = progress, clock
        self._followed: ReadPointer | None = None
        self._extra: dict[str, Stored | None] = {}
        self._is_clean = False
        self._told = ""
        self._staged_at = 0.0

    def __str__(self) -> str:
        return str(self._objects)

    @property
    def status(self) -> Status:
        """How it stands, whichever process looks."""
        return read_status(self.folder)

    def suspect(self, version: str) -> None:
        """A version of the cache could not be loaded: the next look verifies it, and brings it again if damaged."""
        self._cache.suspect(version)

    @contextmanager
    def registry(self, *, check: Callable[[Bundle], None], key: SigningKey | None = None) -> Iterator[BucketRegistry]:
        """The registry of the object store itself, for a change that an operator makes here; followed at the end.

        Its arguments are those of `Registry`. Raises ArtifactError if the store cannot be read, or the cache is full.
        """
        with storage_errors(self.folder, doing="while the object store was changed"):
            make_durable_folder(self.folder)
            with TemporaryDirectory(prefix=CHANGING, dir=self.folder) as mirror:
                yield BucketRegistry(self._objects, Path(mirror), check=check, key=key)
        self.look(wait=WAIT_SECONDS)

    def look(self, *, least_age: float = 0.0, wait: float = 0.0) -> bool:
        """Look once; whether the cache has changed. Nothing happens if another process looks at this moment.

        `wait`: seconds to wait for that one to end, and then to look after all.
        `least_age`: seconds; nothing happens either if the last look, of any process, ended less than that ago.
        Raises nothing: what is wrong is in `status`, and once in the log.
        """
        try:
            with storage_errors(self.folder, doing="while the cache was opened"):
                make_durable_folder(self.folder)
                with try_lock(self.folder / _LOCK, wait=wait) as is_mine:
                    return is_mine and self._is_due(least_age) and self._looked()
        except StorageError as error:
            self._note(error)
            return False

    def _is_due(self, least_age: float) -> bool:
        looked_at = self.status.looked_at
        return looked_at is None or not 0 <= self._clock() - looked_at < least_age or bool(self._cache.suspects())

    def _looked(self) -> bool:
        try:
            with storage_errors(self.folder, doing="while a version was brought into the cache"):
                changed = self._follow()
        except RecsysError as error:
            self._note(error)
            return False
        self._update(followed_at=self._clock(), fault=None, since=None, stage=None, **self._sizes(changed))
        if self._told:
            logger.info("%s answers again", self._objects)
        self._told = ""
        return changed

    def _follow(self) -> bool:
        """Bring everything here. Raises RecsysError, OSError; what was brought until then stays."""
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
        needed, n_before = _needed(pointer), self.status.n_downloads
        failed = [error for version in needed if (error := self._bring(version, pointer, {*needed})) is not None]
        changed |= self.status.n_downloads > n_before
        if failed and pointer.serving is not None and not self._has(pointer.serving, pointer):
            raise failed[0]
        changed |= self._point(pointer)
        self._cache.keep_only({*pointer.versions}, needed={*needed})
        if failed:
            raise failed[0]
        self._followed = read
        return self._put_extra_files() or changed

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
        status = self.status
        self._update(n_downloads=status.n_downloads + 1, downloaded_bytes=status.downloaded_bytes + size)
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
                    self._update(n_damaged=self.status.n_damaged + 1)
            self._cache.trust(version)

    def _show(self, stage: str, done: float, total: float | None) -> None:
        self._progress(stage, done, total)
        if self._clock() - self._staged_at >= 1 or done == total:
            self._staged_at = self._clock()
            self._update(stage=f"{stage}: {done / 2**20:,.0f} of {(total or 0) / 2**20:,.0f} MiB")

    def _note(self, error: Exception) -> None:
        status, now = self.status, self._clock()
        self._update(
            fault=_public(error),
            since=status.since or now,
            n_failures=status.n_failures + 1,
            stage=None,
            **self._sizes(True),
        )
        told = f"{type(error).__name__}: {error}"
        if told != self._told:
            serving = self._cache.text("CURRENT")
            rest = f"version {serving.strip()} of the cache serves on" if serving else "there is nothing in the cache"
            logger.error("%s; %s", told, rest)
        self._told = told

    def _sizes(self, changed: bool) -> dict[str, int]:
        if not changed and self.status.cached_versions:
            return {}
        with suppress(OSError):
            names = self._cache.names()
            return {"cached_versions": len(names), "cached_bytes": sum(map(self._cache.size, names))}
        return {}

    def _update(self, **changes: object) -> None:
        write_status(self.folder, self.status.model_copy(update={"looked_at": self._clock(), **changes}))


def _needed(pointer: Pointer) -> list[str]:
    """The version that serves, those of a running experiment, and the one that is held, each once."""
    found = [] if pointer.serving is None else [pointer.serving]
    with suppress(ValueError):
        experiment = Experiment.model_validate_json(pointer.files.get("EXPERIMENT", ""))
        found += sorted(experiment.versions) if experiment.runs else []
    with suppress(ValueError):
        found.append(Hold.model_validate_json(pointer.files.get("HOLD", "")).version)
    return list(dict.fromkeys(found))


def _public(error: Exception) -> str:
    """What clients may see of it: no path and no address."""
    if isinstance(error, ObjectStoreError):
        return _FAULTS[error.reason]
    if isinstance(error, StorageError):
        return "the disk of the cache is full or cannot be written"
    return "what the object store says cannot be followed"
