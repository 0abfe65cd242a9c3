"""What a store holds is listed whatever of it is damaged, and the damage is named."""

from collections.abc import Callable
from pathlib import Path

import pytest

from recsys.artifacts.inventory import take_inventory
from recsys.artifacts.manifest import Manifest
from recsys.artifacts.registry import Registry

Seal = Callable[..., Manifest]


def listed(registry: Registry) -> list[str]:
    return [held.version for held in take_inventory(registry).versions]


def test_an_empty_store_holds_nothing_and_nothing_is_wrong_with_it(registry: Registry) -> None:
    found = take_inventory(registry)
    assert (found.to_list(), found.serving, found.faults) == ([], None, ())


def test_latest_published_first_then_what_was_only_sealed(
    registry: Registry, versions: list[str], seal: Seal
) -> None:
    never = seal(9).version
    registry.rollback()
    found = take_inventory(registry)
    assert listed(registry) == [*reversed(versions), never]
    assert (found.serving, found.faults) == (versions[1], ())
    assert [held.manifest.version for held in found.versions if held.manifest] == listed(registry)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda folder: (folder / "manifest.json").unlink(), "manifest.json: cannot be read: No such file"),
        (lambda folder: (folder / "manifest.json.sha256").unlink(), "manifest.json.sha256: cannot be read"),
        (lambda folder: _rewrite(folder / "manifest.json", b"{"), "manifest.json: its content changed"),
        (
            lambda folder: folder.rename(folder.with_name("away")) and folder.touch(),
            "cannot be read: Not a directory",
        ),
    ],
    ids=["no manifest", "no checksum", "bad manifest", "no folder"],
)
def test_a_damaged_version_keeps_its_place_and_says_why(
    registry: Registry, versions: list[str], damage: Callable[[Path], object], reason: str
) -> None:
    registry.path(versions[1]).chmod(0o755)
    damage(registry.path(versions[1]))
    found = take_inventory(registry)
    assert listed(registry) == versions[::-1]
    assert (found.serving, found.faults) == (versions[2], ())
    newest, damaged, oldest = found.to_list()
    assert [it["version"] for it in (newest, damaged, oldest)] == versions[::-1]
    assert [it["serving"] for it in (newest, damaged, oldest)] == [True, False, False]
    assert newest["verdict"] == oldest["verdict"] == "passed"
    assert reason in damaged["damage"]
    assert "damage" not in newest


def _rewrite(path: Path, content: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"", "'', expected one line with a version's name"),
        (b"rubbish\n", "'rubbish\\n', expected one line"),
        (b"\xff\n", "cannot be read"),
        (b"v" + b"0" * 16 + b"\n", "names v0000000000000000, which is not in the store"),
        (None, "missing, though HISTORY has entries"),
    ],
)
def test_a_pointer_to_nothing_is_a_fault_and_none_serves(
    registry: Registry, versions: list[str], line: bytes | None, fault: str
) -> None:
    current = registry.store / "CURRENT"
    current.unlink()
    if line is not None:
        current.write_bytes(line)
    found = take_inventory(registry)
    assert listed(registry) == versions[::-1]
    assert found.serving is None
    assert [(it.startswith(f"{current}: "), fault in it) for it in found.faults] == [(True, True)]


def test_a_pointer_to_what_is_damaged_is_a_fault(registry: Registry, versions: list[str]) -> None:
    _rewrite(registry.path(versions[2]) / "manifest.json", b"{")
    found = take_inventory(registry)
    assert found.serving is None
    assert found.faults == (f"{registry.store / 'CURRENT'}: names {versions[2]}, which is damaged",)


def test_without_its_history_a_store_is_listed_by_when_versions_were_made(
    registry: Registry, versions: list[str]
) -> None:
    (registry.store / "HISTORY").write_text("rubbish\n")
    found = take_inventory(registry)
    assert set(listed(registry)) == set(versions)
    assert found.serving == versions[2]
    assert ["HISTORY: line 1 is not a history entry" in fault for fault in found.faults] == [True]
