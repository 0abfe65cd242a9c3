"""Purging: no version of a store holds anybody who was forgotten after its log was read."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from recsys.artifacts.forgotten_people import forgotten_in, may_hold
from recsys.artifacts.registry import Registry
from recsys.artifacts.replacement import remove_version
from recsys.artifacts.rewriting import rewrite
from recsys.artifacts.signature import SigningKey
from recsys.artifacts.staging import VERSIONS
from recsys.errors import ArtifactError, ObjectStoreError
from recsys.forgotten import Forgotten, read_forgotten

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Purged:
    """What became of the versions. `rewritten`: the name before to the name now. `removed`: they were damaged.

    `problems`: what still holds people, in sentences.
    """

    rewritten: dict[str, str]
    removed: tuple[str, ...]
    problems: tuple[str, ...]


def purge(
    registry: Registry, *, key: SigningKey | None = None, announce: Callable[[str], None] = lambda version: None
) -> Purged:
    """Rewrite every version that holds forgotten people, the one that serves first; see `rewrite`.

    A damaged version, which nobody can rewrite, is deleted, unless it serves, is held or is in an experiment. What
    stopped jobs left goes too. `announce`: called with each version before it is rewritten. Raises ArtifactError if
    FORGOTTEN or the pointer is damaged; what is wrong with one version is in `problems`.
    """
    registry.refresh()
    forgotten = read_forgotten(registry.store)
    rewritten, removed, problems = dict[str, str](), list[str](), list[str]()
    if not forgotten:
        return Purged({}, (), ())
    needed = {registry.current(), registry.held(), *registry.in_experiment()}
    for version in sorted(registry.names(), key=lambda name: (name not in needed, name)):
        try:
            if may_hold(registry.manifest(version), forgotten) and (
                people := forgotten_in(registry.path(version), forgotten)
            ):
                announce(version)
                rewritten[version] = rewrite(registry, version, people, key=key)
        except ArtifactError as error:
            if version not in needed and _is_damaged(registry, version):
                remove_version(registry, version)
                removed.append(version)
            else:
                problems.append(str(error))
    problems += _leftovers(registry)
    return Purged(rewritten, tuple(removed), tuple(problems))


def holding(registry: Registry, forgotten: Forgotten) -> list[str]:
    """The versions that hold people who were forgotten; damaged ones too, because nobody knows. Raises nothing."""

    def holds(version: str) -> bool:
        try:
            return may_hold(registry.manifest(version), forgotten) and bool(
                forgotten_in(registry.path(version), forgotten)
            )
        except ArtifactError:
            return True

    return [version for version in registry.names() if holds(version)]


def _is_damaged(registry: Registry, version: str) -> bool:
    try:
        registry.load(version)
    except ObjectStoreError as error:
        return error.reason == "damaged"
    except ArtifactError:
        return True
    return False


def _leftovers(registry: Registry) -> list[str]:
    """Remove what stopped jobs left; what is still there, in sentences."""
    registry.delete_leftovers()
    left = sorted((registry.store / VERSIONS).glob(".*")) if (registry.store / VERSIONS).is_dir() else []
    return [f"{path}: a job seals a version; it takes forgotten people out when it publishes" for path in left]
