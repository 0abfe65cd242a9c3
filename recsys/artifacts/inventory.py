"""Inventory: every version of a store, damaged ones too, so that an operator sees what to repair."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from recsys.artifacts.history import HistoryEntry
from recsys.artifacts.hold import Hold
from recsys.artifacts.manifest import Manifest
from recsys.artifacts.registry import Registry
from recsys.artifacts.store_reader import CURRENT, HISTORY
from recsys.errors import ArtifactError

Read = TypeVar("Read")


@dataclass(frozen=True)
class StoredVersion:
    """A version's folder: its manifest, or the damage that makes it unreadable."""

    version: str
    manifest: Manifest | None
    damage: str | None = None


@dataclass(frozen=True)
class Inventory:
    """Every version of a store: latest published first, then those never published, newest first.

    `serving`: the version that CURRENT names, None if it names none that can serve. `hold`: the version that is held,
    None without a hold. `faults`: what is wrong with the store apart from damaged versions, as sentences.
    """

    versions: tuple[StoredVersion, ...]
    serving: str | None
    hold: Hold | None
    faults: tuple[str, ...]

    @property
    def held(self) -> str | None:
        """The version that is held, None without a hold."""
        return None if self.hold is None else self.hold.version

    def to_list(self) -> list[dict[str, Any]]:
        """As plain JSON values: of each version the manifest, or name and damage, and if it is `serving`, `held`."""
        return [
            {**_plain(stored), "serving": stored.version == self.serving, "held": stored.version == self.held}
            for stored in self.versions
        ]


def _plain(stored: StoredVersion) -> dict[str, Any]:
    if stored.manifest is None:
        return {"version": stored.version, "damage": stored.damage}
    return stored.manifest.model_dump(mode="json")


def take_inventory(registry: Registry) -> Inventory:
    """Read the manifest of every version and the pointer; damage is listed, not raised."""
    history, unreadable = _read_or_fault(registry.history)
    order = {entry.version: at for at, entry in enumerate(history or ()) if entry.action == "publish"}
    stored = [_stored(registry, version) for version in registry.names()]
    stored.sort(
        key=lambda it: (order.get(it.version, -1), (it.manifest and it.manifest.created_at) or ""), reverse=True
    )
    serving, astray = _serving(registry, {it.version: it for it in stored}, history or [])
    hold, unclear = _read_or_fault(registry.hold_now)
    faults = tuple(fault for fault in (astray, unreadable, unclear) if fault)
    return Inventory(tuple(stored), serving, hold, faults)


def _stored(registry: Registry, version: str) -> StoredVersion:
    return StoredVersion(version, *_read_or_fault(lambda: registry.manifest(version)))


def _serving(
    registry: Registry, stored: dict[str, StoredVersion], history: list[HistoryEntry]
) -> tuple[str | None, str | None]:
    """The version that serves, and what is wrong with CURRENT."""
    current, fault = _read_or_fault(registry.current)
    path = registry.store / CURRENT
    if current is None:
        missing = f"{path}: missing, though {HISTORY} has entries" if history else None
        return None, fault or missing
    if current not in stored:
        return None, f"{path}: names {current}, which is not in the store"
    if stored[current].damage:
        return None, f"{path}: names {current}, which is damaged"
    return current, None


def _read_or_fault(read: Callable[[], Read]) -> tuple[Read | None, str | None]:
    """What `read` returns, or the ArtifactError it raises."""
    try:
        return read(), None
    except ArtifactError as error:
        return None, str(error)
