"""Replica: looks at a store in an object store, one process at a time, and says how it stands."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from recsys.artifacts.bucket.registry import BucketRegistry
from recsys.artifacts.bundle import Bundle
from recsys.artifacts.files import make_durable_folder
from recsys.artifacts.signature import SigningKey
from recsys.config.serve import Users
from recsys.errors import ObjectFault, ObjectStoreError, RecsysError, StorageError
from recsys.objects import ObjectStore
from recsys.progress import Progress, silent
from recsys.replica.cache import CHANGING, Bounds, Cache
from recsys.replica.following import Following
from recsys.replica.leases import try_lock
from recsys.replica.status import Status, StatusFile
from recsys.storage import storage_errors

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
        self._objects, self._clock = objects, clock
        self._cache = Cache(folder, bounds or Bounds())
        self._status = StatusFile(folder, clock)
        self._following = Following(objects, self._cache, self._status, users=users, progress=progress, clock=clock)
        self._told = ""

    def __str__(self) -> str:
        return str(self._objects)

    @property
    def status(self) -> Status:
        """How it stands, whichever process looks."""
        return self._status.now

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
                changed = self._following.follow()
        except RecsysError as error:
            self._note(error)
            return False
        self._status.change(followed_at=self._clock(), fault=None, since=None, stage=None, **self._sizes(changed))
        if self._told:
            logger.info("%s answers again", self._objects)
        self._told = ""
        return changed

    def _note(self, error: Exception) -> None:
        status, now = self.status, self._clock()
        self._status.change(
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


def _public(error: Exception) -> str:
    """What clients may see of it: no path and no address."""
    if isinstance(error, ObjectStoreError):
        return _FAULTS[error.reason]
    if isinstance(error, StorageError):
        return "the disk of the cache is full or cannot be written"
    return "what the object store says cannot be followed"
