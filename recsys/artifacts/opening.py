"""Opening: the registry of a store, on a disk or in an object store."""

from collections.abc import Callable
from pathlib import Path

from recsys.artifacts.bucket.mirror import default_folder
from recsys.artifacts.bucket.registry import BucketRegistry
from recsys.artifacts.bundle import Bundle
from recsys.artifacts.registry import Registry
from recsys.artifacts.signature import SigningKey
from recsys.objects import open_object_store
from recsys.progress import Progress, silent
from recsys.remote import RemotePath


def open_registry(
    store: Path | RemotePath,
    *,
    mirror: Path | None = None,
    lock_wait_seconds: float = 10.0,
    check: Callable[[Bundle], None] = lambda bundle: None,
    key: SigningKey | None = None,
    progress: Progress = silent,
) -> Registry:
    """The registry of a store. `mirror`: the folder of what is needed here of an object store.

    By default that is below `$RECSYS_STORE_CACHE`, else `$XDG_CACHE_HOME/recsys/stores` or `~/.cache/recsys/stores`.
    `progress`: of uploads and downloads. The others are as those of `Registry`.
    Raises ConfigError if the address is none of an object store, or what reads it is not installed; ArtifactError,
    also ObjectStoreError, if the object store cannot be read or its pointer is damaged.
    """
    if isinstance(store, Path):
        return Registry(store, lock_wait_seconds=lock_wait_seconds, check=check, key=key)
    objects = open_object_store(store)
    return BucketRegistry(
        objects,
        mirror or default_folder(objects),
        lock_wait_seconds=lock_wait_seconds,
        check=check,
        key=key,
        progress=progress,
    )
