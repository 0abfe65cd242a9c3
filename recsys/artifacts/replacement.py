"""Replacement: one version takes the place of another one in everything that names it."""

import shutil
from pathlib import Path

from recsys.artifacts.files import replace_durably, sync
from recsys.artifacts.pruning import SET_ASIDE
from recsys.artifacts.registry import CURRENT, EXPERIMENT, HISTORY, HOLD, Registry
from recsys.errors import ArtifactError
from recsys.plain_files import read_plain


def replace_version(registry: Registry, before: str, after: str) -> None:
    """Let whatever names `before` name `after`, and delete `before`: the same version without some people.

    Raises ArtifactError if the disk refuses; doing it again ends what was begun.
    """
    with registry.locked():
        try:
            for name in (HISTORY, EXPERIMENT, HOLD, CURRENT):
                _rename_in(registry.store / name, before.encode(), after.encode())
        except OSError as error:
            raise ArtifactError(f"{error.filename or registry.store}: could not be written: {error}") from error
    remove_version(registry, before)


def _rename_in(path: Path, before: bytes, after: bytes) -> None:
    content = read_plain(path) if path.exists() else b""
    if before in content:
        replace_durably(path, content.replace(before, after))


def remove_version(registry: Registry, version: str) -> None:
    """Delete a version that does not serve, damaged or not. Raises ArtifactError if it does, or the disk refuses."""
    folder = registry.path(version)
    aside = folder.with_name(f"{SET_ASIDE}{version}")
    try:
        with registry.locked():
            if registry.current() == version:
                raise ArtifactError(f"{folder}: serves, so it is not removed")
            if folder.exists():
                shutil.rmtree(aside, ignore_errors=True)
                folder.rename(aside)
                sync(folder.parent)
        if aside.exists():
            shutil.rmtree(aside)
    except OSError as error:
        raise ArtifactError(f"{error.filename or folder}: could not be removed: {error.strerror}") from error
