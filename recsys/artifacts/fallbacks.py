"""Fallbacks: the versions that can serve if the one that should cannot be loaded."""

from contextlib import suppress

from recsys.artifacts.history import ancestry
from recsys.artifacts.manifest import read_manifest
from recsys.artifacts.registry import Registry
from recsys.errors import ArtifactError


def fallbacks(registry: Registry, failed: str | None) -> list[str]:
    """Versions in the store that served before, the best first, without `failed`.

    That is the order of rollbacks, then the others of HISTORY, latest first. If HISTORY is damaged, all versions
    whose manifest can be read, newest first. Whether they can be loaded is not checked.
    """
    try:
        served = [entry.version for entry in registry.history()]
        before = ancestry(registry.history(), failed)
    except ArtifactError:
        served, before = _newest_last(registry), []
    there = set(registry.names())
    ordered = dict.fromkeys((*reversed(before), *reversed(served)))
    return [version for version in ordered if version != failed and version in there]


def _newest_last(registry: Registry) -> list[str]:
    dates = {}
    for version in registry.names():
        with suppress(ArtifactError):
            dates[version] = read_manifest(registry.path(version)).created_at
    return sorted(dates, key=lambda version: (dates[version], version))
