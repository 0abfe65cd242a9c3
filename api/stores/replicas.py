"""Stores of the service that lie in object stores: the folder that each is brought to, and what follows it."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from time import monotonic

from api.settings import Settings, flag, variable
from recsys.address import Address, is_address
from recsys.errors import ConfigError
from recsys.objects import open_object_store
from recsys.remote import RemotePath
from recsys.replica import Bounds, Replica, Status, cache_folder
from recsys.replica.leases import Leases

READ_ONLY = (
    "is a copy of a store in an object store, and not changed here; run the command of recsys with --store and the "
    "address of the object store"
)
"""Why a replica's folder is not written by the service."""

SILENT_SECONDS = 30.0
"""Time without a look at the object store after which that is told, if it is longer than three looks."""

_GIB = 2**30

logger = logging.getLogger(__name__)


def is_remote(settings: Settings, name: str) -> bool:
    """Whether the store `name` is an address."""
    return is_address(settings.store.of(name) or "")


def folder_of(settings: Settings, name: str) -> Path:
    """The folder on this machine of the store `name`: its own, or the replica's. Raises ConfigError."""
    told = settings.store.of(name) or ""
    if not is_address(told):
        return Path(told)
    return cache_folder(cache_root(settings), RemotePath(Address(told)), settings.users)


def cache_root(settings: Settings) -> Path:
    """The folder of all replicas: `--cache`, by default `recsys` in the user's folder of caches."""
    if settings.cache is not None:
        return settings.cache
    home = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(home) if home else Path.home() / ".cache") / "recsys"
    except RuntimeError as error:  # a user of a container that no file names
        raise ConfigError(f"{flag('cache')} ({variable('cache')}): this user has no home folder; name one") from error


def replica_of(settings: Settings, name: str) -> Replica | None:
    """What follows the store `name`, None if it is a folder; nothing is asked yet.

    Raises ConfigError if the address cannot be one, or the cache cannot be written.
    """
    if not is_remote(settings, name):
        return None
    path = RemotePath(Address(settings.store.of(name) or ""))
    size = None if settings.cache_gib is None else int(settings.cache_gib * _GIB)
    try:
        objects = open_object_store(path)
        folder = folder_of(settings, name)
    except ConfigError as error:
        raise ConfigError(f"{flag('store')} ({variable('store')}): {error}") from None
    replica = Replica(objects, folder, bounds=Bounds(settings.cache_versions, size), users=settings.users)
    _check_writable(replica)
    return replica


def _check_writable(replica: Replica) -> None:
    try:
        replica.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        usable = os.access(replica.folder, os.R_OK | os.W_OK | os.X_OK)
    except OSError as error:
        raise _unusable(replica, str(error.strerror)) from error
    if not usable:
        raise _unusable(replica, "it cannot be written")


def _unusable(replica: Replica, why: str) -> ConfigError:
    return ConfigError(
        f"{flag('cache')} ({variable('cache')}): {replica.folder}: {why}; expected a folder that the service may "
        f"write, for the versions of {replica}"
    )


class ReplicaWatch:
    """Looks at the object store in a thread of its own, which keeps no process from ending.

    `on_change`: called in that thread after the folder has changed. `serving`: the versions that this process serves,
    which stay in the cache.
    """

    def __init__(self, replica: Replica, *, seconds: float) -> None:
        self.replica = replica
        self._seconds = seconds
        self._ended = Event()
        self._leases = Leases(replica.folder)
        self._is_told = False

    @property
    def status(self) -> Status:
        """How the replica stands, whichever worker looks."""
        return self.replica.status

    def fault(self, now: float) -> str | None:
        """Why what serves may not be what the object store says; None if it is. `now`: UTC seconds."""
        status = self.status
        if status.fault is not None and status.since is not None:
            return f"{status.fault} for {now - status.since:.0f} s; the service's log says why"
        if status.stage is None and status.looked_at is not None:
            age = now - status.looked_at
            if age > max(SILENT_SECONDS, 3 * self._seconds):
                return f"the object store was not looked at for {age:.0f} s"
        return None

    def start(self, on_change: Callable[[], None], serving: Callable[[], set[str]]) -> None:
        """Begin to look, the first time at once."""
        Thread(target=self._run, args=(on_change, serving), daemon=True, name="replica").start()

    def stop(self) -> None:
        """Look no more; what serves now is no longer kept for this process."""
        self._ended.set()
        self._leases.release()

    def _run(self, on_change: Callable[[], None], serving: Callable[[], set[str]]) -> None:
        spent = 0.0
        while True:
            began = monotonic()
            try:
                self._look(on_change, serving, spent=spent)
            except Exception as error:  # whatever it is, the next look may be well
                if not self._is_told:
                    logger.exception("the look at %s failed: %s", self.replica, type(error).__name__)
                self._is_told = True
            spent = min(monotonic() - began, 0.8 * self._seconds)  # so that looks begin that far apart
            if self._ended.wait(self._seconds - spent):
                return

    def _look(self, on_change: Callable[[], None], serving: Callable[[], set[str]], *, spent: float) -> None:
        """`spent`: seconds of this thread's look before."""
        self._leases.hold(serving())
        if self.replica.look(least_age=0.9 * self._seconds - spent):
            on_change()
            self._leases.hold(serving())
