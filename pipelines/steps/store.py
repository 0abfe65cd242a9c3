"""The store of a configuration, on a disk or in an object store."""

from collections.abc import Callable
from pathlib import Path

from recsys.artifacts.bundle import Bundle
from recsys.artifacts.manifest import Manifest
from recsys.artifacts.opening import open_registry
from recsys.artifacts.registry import Registry
from recsys.artifacts.signature import SigningKey
from recsys.errors import ArtifactError, ObjectStoreError
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress, silent

MIRROR = "mirror"
"""The folder of a workspace that mirrors a store in an object store."""


def open_store(
    config: PipelineConfig,
    *,
    lock_wait_seconds: float = 10.0,
    check: Callable[[Bundle], None] = lambda bundle: None,
    key: SigningKey | None = None,
    progress: Progress = silent,
) -> Registry:
    """The registry of `publish.store`, which in an object store is looked at now. Arguments and errors as
    `open_registry` has them."""
    return open_registry(
        config.publish.store,
        mirror=config.workspace / MIRROR,
        lock_wait_seconds=lock_wait_seconds,
        check=check,
        key=key,
        progress=progress,
    )


def store_folder(config: PipelineConfig) -> Path:
    """The folder on this disk that versions are sealed in: the store, or the mirror of one in an object store."""
    store = config.publish.store
    return store if isinstance(store, Path) else config.workspace / MIRROR


def serving_manifest(config: PipelineConfig) -> Manifest | None:
    """The manifest of the version that serves; None if there is none, or it is damaged, which publish tells.

    Raises ObjectStoreError if the object store cannot be read.
    """
    try:
        return open_store(config).serving_manifest()
    except ObjectStoreError:
        raise
    except ArtifactError:
        return None
