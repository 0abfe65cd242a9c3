"""Inventory: all that a store holds, sound or not, so that whoever has to mend it can see it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from recsys.artifacts.history import HistoryEntry
from recsys.artifacts.manifest import Manifest, read_manifest
from recsys.artifacts.registry import CURRENT, HISTORY, Registry
from recsys.errors import ArtifactError

Read = TypeVar("Read")


@dataclass(frozen=True)
class Held:
    """A version's folder: its manifest, or else the damage that keeps it from being read."""

    version: str
    manifest: Manifest | None
    damage: str | None = None


@dataclass(frozen=True)
class Inventory:
    """Every version of a store: latest published first, then the never published, latest made first.

    `serving`: the version that CURRENT names, None where it names none that could serve. `faults`: what is wrong with
    the store beside the damage of its versions, ready to be shown.
    """

    versions: tuple[Held, ...]
    serving: str | None
    faults: tuple[str, ...]

    def to_list(self) -> list[dict[str, Any]]:
        """As plain JSON values: of each version the manifest, or name and damage, and whether it is `serving`."""
        return [{**_plain(held), "serving": held.version == self.serving} for held in self.versions]


def _plain(held: Held) -> dict[str, Any]:
    if held.manifest is None:
        return {"version": held.version, "damage": held.damage}
    return held.manifest.model_dump(mode="json")


def take_inventory(registry: Registry) -> Inventory:
    """Look at everything, and raise for nothing that is damaged. Only manifests are read and checked."""
    history, unreadable = _tried(registry.history)
    order = {entry.version: at for at, entry in enumerate(history or ()) if entry.action == "publish"}
    held = [_held(registry, version) for version in registry.names()]
    held.sort(key=lambda it: (order.get(it.version, -1), it.manifest.created_at if it.manifest else ""), reverse=True)
    serving, astray = _serving(registry, {it.version: it for it in held}, history or [])
    return Inventory(tuple(held), serving, tuple(fault for fault in (astray, unreadable) if fault))


def _held(registry: Registry, version: str) -> Held:
    return Held(version, *_tried(lambda: read_manifest(registry.path(version))))


def _serving(registry: Registry, held: dict[str, Held], history: list[HistoryEntry]) -> tuple[str | None, str | None]:
    """The version that serves, and what is wrong with CURRENT."""
    current, fault = _tried(registry.current)
    path = registry.store / CURRENT
    if current is None:
        missing = f"{path}: missing, though {HISTORY} has entries" if history else None
        return None, fault or missing
    if current not in held:
        return None, f"{path}: names {current}, which is not in the store"
    if held[current].damage:
        return None, f"{path}: names {current}, which is damaged"
    return current, None


def _tried(read: Callable[[], Read]) -> tuple[Read | None, str | None]:
    """What `read` returns, or the ArtifactError that it raises."""
    try:
        return read(), None
    except ArtifactError as error:
        return None, str(error)
