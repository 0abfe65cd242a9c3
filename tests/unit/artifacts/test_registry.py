"""The pointer: it moves to whole versions only, in one step, and tells the truth about it."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recsys.artifacts.inventory import take_inventory
from recsys.artifacts.lock import exclusive
from recsys.artifacts.manifest import Manifest
from recsys.artifacts.registry import Registry
from recsys.errors import ArtifactError

Seal = Callable[..., Manifest]


@pytest.fixture
def only(registry: Registry, seal: Seal) -> str:
    """One version, published."""
    version = seal().version
    registry.publish(version)
    return version


def damage(registry: Registry, version: str) -> None:
    path = registry.path(version) / "popularity.npy"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"?")


def test_an_empty_store_serves_nothing(registry: Registry) -> None:
    assert registry.current() is None
    assert registry.history() == []
    assert registry.names() == []
    assert registry.serving_manifest() is None
    with pytest.raises(ArtifactError, match="nothing has been published"):
        registry.load()
    with pytest.raises(ArtifactError):
        registry.rollback()


def test_a_store_may_be_named_by_text(registry: Registry, only: str) -> None:
    assert Registry(str(registry.store)).load().manifest.version == only


def test_sealing_alone_does_not_serve(registry: Registry, seal: Seal) -> None:
    version = seal().version
    assert registry.current() is None
    assert registry.load(version).manifest.version == version


def test_publishing_moves_the_pointer_and_writes_one_line(registry: Registry, versions: list[str]) -> None:
    assert (registry.store / "CURRENT").read_text() == f"{versions[-1]}\n"
    assert registry.load().manifest.version == versions[-1]
    assert registry.serving_manifest() == registry.load().manifest
    lines = [json.loads(line) for line in (registry.store / "HISTORY").read_text().splitlines()]
    assert [(line["action"], line["version"], line["previous"]) for line in lines] == [
        ("publish", versions[0], None),
        ("publish", versions[1], versions[0]),
        ("publish", versions[2], versions[1]),
    ]


def test_the_store_holds_what_the_contract_says_and_locks(registry: Registry, versions: list[str]) -> None:
    visible = {path.name for path in registry.store.iterdir() if not path.name.startswith(".")}
    assert visible == {"CURRENT", "HISTORY", "versions"}
    assert {path.name for path in (registry.store / "versions").iterdir()} == set(versions)


def test_rolling_back_walks_backwards_and_ends(registry: Registry, versions: list[str]) -> None:
    assert registry.rollback() == versions[1] == registry.current()
    assert registry.rollback() == versions[0] == registry.current()
    with pytest.raises(ArtifactError, match=f"no version served before {versions[0]}"):
        registry.rollback()
    assert registry.current() == versions[0]
    assert [entry.action for entry in registry.history()] == ["publish"] * 3 + ["rollback"] * 2


def test_rolling_back_to_a_named_version_and_publishing_on_top(registry: Registry, versions: list[str]) -> None:
    assert registry.rollback(versions[0]) == versions[0]
    registry.publish(versions[2])
    assert registry.rollback() == versions[0]


def test_publishing_what_serves_is_a_line_but_no_step(registry: Registry, versions: list[str]) -> None:
    registry.publish(versions[2])
    assert len(registry.history()) == 4
    assert registry.rollback() == versions[1]


def test_a_damaged_version_is_neither_published_nor_rolled_back_to_nor_loaded(
    registry: Registry, versions: list[str]
) -> None:
    damage(registry, versions[1])
    before = {path: path.read_bytes() for path in (registry.store / "CURRENT", registry.store / "HISTORY")}
    for attempt in (registry.publish, registry.rollback, registry.load):
        with pytest.raises(
            ArtifactError, match=r"popularity\.npy: its content changed; sha256 \w{64}.*expected \w{64}"
        ):
            attempt(versions[1])
    with pytest.raises(ArtifactError, match=r"popularity\.npy"):
        registry.rollback()
    assert {path: path.read_bytes() for path in before} == before


# --- names and pointers nobody should trust ------------------------------------------------------------------------

BAD_NAMES = [
    "",
    "..",
    "../../etc",
    "v0123",
    "V" + "0" * 16,
    "v" + "g" * 16,
    "/etc",
    "v" + "0" * 16 + "/..",
    "v" + "0" * 17,
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_are_no_versions_are_refused(registry: Registry, only: str, name: str) -> None:
    with pytest.raises(ArtifactError, match="is not a version's name"):
        registry.path(name)
    with pytest.raises(ArtifactError, match="is not a version's name"):
        registry.publish(name)
    assert registry.current() == only


@pytest.mark.parametrize("line", [*(name.encode() for name in BAD_NAMES), b"\xff\n", b"v" + b"0" * 16 + b"\n\n"])
def test_a_pointer_to_anything_else_is_refused(registry: Registry, only: str, line: bytes) -> None:
    (registry.store / "CURRENT").write_bytes(line)
    for question in (registry.current, registry.load, registry.rollback):
        with pytest.raises(ArtifactError, match="CURRENT"):
            question()


@pytest.mark.parametrize("line", [b"", b"rubbish\n", b"\xff\n", b"v" + b"0" * 16 + b"\n"])
def test_from_a_pointer_to_nothing_one_rolls_back_by_name_and_then_further(
    registry: Registry, versions: list[str], line: bytes
) -> None:
    (registry.store / "CURRENT").write_bytes(line)
    assert registry.rollback(versions[1]) == versions[1] == registry.load().manifest.version
    assert registry.rollback() == versions[0]


def test_a_pointer_that_cannot_be_read_and_a_history_that_makes_no_sense_do_not_stop_a_rollback_by_name(
    registry: Registry, versions: list[str]
) -> None:
    (registry.store / "HISTORY").write_text("rubbish\n")
    (registry.store / "CURRENT").unlink()
    (registry.store / "CURRENT").symlink_to("CURRENT")
    assert registry.rollback(versions[0]) == versions[0] == registry.current()


def test_publishing_over_a_pointer_to_anything_else_is_refused(registry: Registry, versions: list[str]) -> None:
    (registry.store / "CURRENT").write_text("rubbish\n")
    with pytest.raises(ArtifactError, match="CURRENT"):
        registry.publish(versions[0])
    assert len(registry.history()) == 3


def test_where_the_disk_refuses_a_rollback_from_a_bad_pointer_it_is_the_disk_that_is_named(
    registry: Registry, versions: list[str]
) -> None:
    (registry.store / "CURRENT").unlink()
    (registry.store / "CURRENT").mkdir()
    with pytest.raises(ArtifactError, match=f"could not move to {versions[0]}, nothing still serves"):
        registry.rollback(versions[0])
    assert len(registry.history()) == 3


def test_a_version_that_was_deleted_is_named(registry: Registry) -> None:
    with pytest.raises(ArtifactError, match="v0000000000000000: there is no such version"):
        registry.load("v" + "0" * 16)


# --- turns ----------------------------------------------------------------------------------------------------------


def test_moving_the_pointer_waits_its_turn(registry: Registry, versions: list[str]) -> None:
    registry = Registry(registry.store, lock_wait_seconds=0.05)
    with (
        exclusive(registry.store / ".pointer.lock", doing="anything"),
        pytest.raises(ArtifactError, match="is moving the pointer"),
    ):
        registry.publish(versions[0])
    assert registry.current() == versions[-1]


def test_sealing_beside_another_sealer_is_refused(store: Path, seal: Seal) -> None:
    seal()
    with (
        exclusive(store / ".seal.lock", doing="anything"),
        pytest.raises(ArtifactError, match="is sealing a version"),
    ):
        seal(1)


def test_what_a_killed_job_left_is_cleaned_by_the_next(store: Path, seal: Seal) -> None:
    stale = store / "versions" / ".staging-1"
    (stale / "model").mkdir(parents=True)
    (stale / "model" / "users.npy").write_bytes(b"half")
    version = seal().version
    assert [path.name for path in (store / "versions").iterdir()] == [version]


# --- a disk that refuses, at every step -----------------------------------------------------------------------------


class FailingDisk:
    """Lets the first `allowed` durable steps pass and refuses the next, once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, allowed: int) -> None:
        self.left = allowed
        self.failed_at: tuple[str, tuple[Any, ...]] | None = None
        for name in ("fsync", "rename", "replace", "chmod"):
            monkeypatch.setattr(os, name, self._wrapped(name, getattr(os, name)))

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **options: Any) -> Any:
            self.left -= 1
            if self.left == -1:
                self.failed_at = (name, arguments)
                raise OSError(28, "No space left on device", str(arguments[0]))
            return real(*arguments, **options)

        return step


def test_a_disk_that_refuses_any_step_leaves_the_old_version_or_the_new(
    registry: Registry, seal: Seal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    old = seal(0).version
    registry.publish(old)
    reported_moved = 0
    for allowed in range(500):
        caplog.clear()
        with monkeypatch.context() as patch:
            disk = FailingDisk(patch, allowed)
            try:
                version = seal(allowed + 1).version
                registry.publish(version)
                moved = True
            except ArtifactError as error:
                assert "No space left" in str(error)
                moved = False
        if disk.failed_at is None:
            break
        lines = registry.history()
        assert registry.current() == (version if moved else old)
        assert registry.load().manifest.version == registry.current()
        assert lines[-1].version == registry.current()
        assert not [
            path for path in registry.store.rglob("*") if path.name.startswith((".staging", ".CURRENT", ".HIST"))
        ]
        if moved:
            reported_moved += 1
            assert "the disk did not confirm it" in caplog.text
            old = version
    else:
        raise AssertionError("the job never got through")
    assert allowed > 40  # every durable step of sealing and publishing has been refused once
    assert reported_moved == 1  # only the last fsync comes after the rename


class TestHold:
    def test_a_held_version_serves_on_and_the_new_one_is_kept(
        self, registry: Registry, versions: list[str], seal: Seal
    ) -> None:
        assert registry.held() is None
        assert registry.hold(reason="sale") == versions[1] == registry.current() == registry.held()
        new = seal(9).version
        before = registry.history()
        assert registry.publish(new) is False
        assert registry.publish(versions[1]) is True
        assert (registry.current(), new in registry.names()) == (versions[1], True)
        assert [entry.version for entry in registry.history()[len(before) :]] == [versions[1]]
        registry.release()
        assert (registry.held(), registry.current()) == (None, versions[1])
        assert registry.publish(new) is True
        assert registry.current() == new

    def test_holding_what_serves_moves_nothing(self, registry: Registry, versions: list[str]) -> None:
        before = registry.history()
        registry.hold(versions[2])
        assert (registry.held(), registry.history()) == (versions[2], before)

    def test_a_rollback_takes_the_hold_with_it(self, registry: Registry, versions: list[str]) -> None:
        registry.hold(versions[2], reason="sale")
        registry.rollback()
        hold = registry.hold_now()
        assert hold is not None
        assert (hold.version, hold.reason, registry.current()) == (versions[1], "sale", versions[1])

    def test_a_damaged_version_is_not_held(self, registry: Registry, versions: list[str]) -> None:
        damage(registry, versions[0])
        with pytest.raises(ArtifactError):
            registry.hold(versions[0])
        assert (registry.held(), registry.current()) == (None, versions[2])

    def test_a_hold_whose_pointer_cannot_move_is_none(self, registry: Registry, versions: list[str]) -> None:
        history = registry.store / "HISTORY"
        history.rename(registry.store / "kept")
        history.mkdir()
        with pytest.raises(ArtifactError):
            registry.hold(versions[0])
        assert (registry.held(), registry.current()) == (None, versions[2])

    def test_a_damaged_hold_publishes_nothing_until_it_is_released(
        self, registry: Registry, versions: list[str]
    ) -> None:
        (registry.store / "HOLD").write_text("{")
        with pytest.raises(ArtifactError, match=r"HOLD: cannot be read.*--release"):
            registry.publish(versions[0])
        assert registry.current() == versions[2]
        assert any("HOLD" in fault for fault in take_inventory(registry).faults)
        with pytest.raises(ArtifactError, match="HOLD: cannot be read"):
            registry.rollback()
        assert registry.current() == versions[2]
        registry.release()
        assert registry.publish(versions[0]) is True
