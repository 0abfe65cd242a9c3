"""Pruning: removes old versions, except those that serve, are held, in an experiment, or a rollback's target."""

import logging
from dataclasses import asdict, dataclass

from recsys.artifacts.registry import Registry
from recsys.errors import ArtifactError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pruning:
    """What pruning removed, or would remove: names of versions, newest first.

    `protected`: versions that are older than the newest ones but stay because they serve, are held or in a running
    experiment, or a rollback would go to them. `damaged`: versions whose manifest cannot be read; they stay.
    `freed`: bytes on disk.
    """

    kept: tuple[str, ...]
    protected: tuple[str, ...]
    removed: tuple[str, ...]
    damaged: tuple[str, ...]
    freed: int

    def to_dict(self) -> dict[str, object]:
        """The fields by name, as JSON holds them."""
        return asdict(self)


def prune(registry: Registry, keep: int, *, dry_run: bool = False) -> Pruning:
    """Remove all but the `keep` newest versions, by when each was last published or, if that is later, sealed.

    `dry_run`: only say what would be removed. A version leaves in one rename while the pointer is locked, and is then
    deleted; a process that has loaded it keeps its files open. Leftovers of jobs that were stopped go too.
    Raises ArtifactError if `keep` is below 1, the pointer or HISTORY is damaged, or the disk refuses.
    """
    if keep < 1:
        raise ArtifactError(f"keep: got {keep}, expected 1 or more")
    if dry_run:
        return _plan(registry, keep)

    def removed() -> Pruning:
        found = _plan(registry, keep)
        registry.set_aside(found.removed)
        return found

    found = registry.changing(removed)
    registry.delete_leftovers()
    logger.info("pruned %d versions of %s, %d bytes", len(found.removed), registry, found.freed)
    return found


def _plan(registry: Registry, keep: int) -> Pruning:
    safe = {registry.current(), registry.held(), registry.rollback_target(), *registry.in_experiment()}
    dates = _dates(registry)
    newest_first = sorted(dates, key=lambda version: (dates[version], version), reverse=True)
    kept, older = newest_first[:keep], newest_first[keep:]
    removed = tuple(version for version in older if version not in safe)
    return Pruning(
        kept=tuple(kept),
        protected=tuple(version for version in older if version in safe),
        removed=removed,
        damaged=tuple(version for version in registry.names() if version not in dates),
        freed=sum(map(registry.size, removed)),
    )


def _dates(registry: Registry) -> dict[str, tuple[str, int]]:
    """When each readable version was last published or, if that is later, sealed: UTC, ISO 8601.

    With it, what decides between equal dates: the line of HISTORY, -1 for a version that was never published.
    """
    dates: dict[str, tuple[str, int]] = {}
    for version in registry.names():
        try:
            dates[version] = registry.manifest(version).created_at, -1
        except ArtifactError as error:
            logger.warning("%s is not pruned: %s", version, error)
    for line, entry in enumerate(registry.history()):
        if entry.action == "publish" and entry.version in dates:
            dates[entry.version] = max(dates[entry.version], (entry.at, line))
    return dates
