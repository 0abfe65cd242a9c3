"""Replacement: one version takes the place of another one in everything that names it."""

from pathlib import Path

from recsys.artifacts.files import replace_durably
from recsys.artifacts.registry import Registry
from recsys.artifacts.store_reader import CURRENT, EXPERIMENT, HISTORY, HOLD
from recsys.errors import ArtifactError
from recsys.plain_files import read_plain


def replace_version(registry: Registry, before: str, after: str) -> None:
    """Let whatever names `before` name `after`, and delete `before`: the same version without some people.

    Raises ArtifactError if the store refuses; doing it again ends what was begun.
    """
    registry.add(after)
    registry.changing(lambda: _rename(registry, before.encode(), after.encode()))
    remove_version(registry, before)


def _rename(registry: Registry, before: bytes, after: bytes) -> None:
    try:
        for name in (HISTORY, EXPERIMENT, HOLD, CURRENT):
            _rename_in(registry.store / name, before, after)
    except OSError as error:
        raise ArtifactError(f"{error.filename or registry.store}: could not be written: {error}") from error


def _rename_in(path: Path, before: bytes, after: bytes) -> None:
    content = read_plain(path) if path.exists() else b""
    if before in content:
        replace_durably(path, content.replace(before, after))


def remove_version(registry: Registry, version: str) -> None:
    """Delete a version that does not serve, damaged or not. Raises ArtifactError if it does, or the store refuses."""

    def set_aside() -> None:
        if registry.current() == version:
            raise ArtifactError(f"{registry}: {version} serves, so it is not removed")
        registry.set_aside([version])

    registry.changing(set_aside)
    registry.delete_set_aside()
