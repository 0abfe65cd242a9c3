"""Set-aside versions: they left in one rename, and are deleted afterwards."""

import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from recsys.artifacts.files import sync
from recsys.artifacts.staging import VERSIONS, remove_staging
from recsys.errors import ArtifactError

SET_ASIDE = ".pruned-"
"""Begins the name of a version's folder that is being deleted."""


def set_aside(store: Path, removed: Iterable[str]) -> None:
    """Rename the folders of versions, which are none from then on; the caller has the lock of the pointer.

    What a process that was stopped left to delete goes first. Raises ArtifactError if the disk refuses.
    """
    versions = store / VERSIONS
    try:
        _delete(versions)
        for version in removed:
            if (versions / version).exists():
                (versions / version).rename(versions / f"{SET_ASIDE}{version}")
        if versions.is_dir():
            sync(versions)
    except OSError as error:
        raise ArtifactError(f"{error.filename or versions}: could not be removed: {error.strerror}") from error


def delete_set_aside(store: Path) -> None:
    """Delete what was set aside, now or by a process that was stopped. Raises ArtifactError if the disk refuses."""
    try:
        _delete(store / VERSIONS)
    except OSError as error:
        raise ArtifactError(f"{error.filename or store}: could not be removed: {error.strerror}") from error


def remove_leftovers(store: Path) -> None:
    """Delete what was set aside, and what jobs that were stopped left of sealing. Raises ArtifactError."""
    delete_set_aside(store)
    try:
        remove_staging(store)
    except OSError as error:
        raise ArtifactError(f"{error.filename or store}: could not be removed: {error.strerror}") from error


def _delete(versions: Path) -> None:
    for folder in versions.glob(f"{SET_ASIDE}*"):
        with suppress(FileNotFoundError):  # another process deletes it too
            shutil.rmtree(folder)
