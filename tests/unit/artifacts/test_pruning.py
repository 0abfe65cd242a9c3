"""Pruning: old versions leave, whatever an operator may still need stays."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from recsys.artifacts.manifest import Manifest
from recsys.artifacts.pruning import prune
from recsys.artifacts.registry import Registry
from recsys.errors import ArtifactError

Seal = Callable[..., Manifest]


@pytest.fixture
def nights(registry: Registry, seal: Seal) -> list[str]:
    """Five versions, published in order."""
    names = [seal(seed).version for seed in range(5)]
    for name in names:
        registry.publish(name)
    return names


def test_the_newest_stay(registry: Registry, nights: list[str]) -> None:
    found = prune(registry, 2)
    assert found.kept == (nights[4], nights[3])
    assert set(found.removed) == set(nights[:3])
    assert registry.names() == sorted(nights[3:])
    assert found.freed > 1000
    assert registry.load().manifest.version == nights[4]


def test_what_rollback_goes_to_stays(registry: Registry, nights: list[str]) -> None:
    found = prune(registry, 1)
    assert found.protected == (nights[3],)
    assert registry.rollback() == nights[3]


def test_what_serves_stays_however_old_it_is(registry: Registry, nights: list[str]) -> None:
    registry.rollback(nights[1])
    prune(registry, 1)
    assert registry.names() == sorted([nights[0], nights[1], nights[4]])
    assert registry.load().manifest.version == nights[1]


def test_what_is_held_stays_though_a_newer_one_serves(registry: Registry, nights: list[str]) -> None:
    registry.hold(nights[0])
    prune(registry, 1)
    assert registry.names() == sorted([nights[0], nights[4]])


def test_a_version_that_was_published_again_is_a_new_one(registry: Registry, nights: list[str]) -> None:
    registry.publish(nights[0])
    assert prune(registry, 2).kept == (nights[0], nights[4])


def test_a_dry_run_removes_nothing(registry: Registry, nights: list[str]) -> None:
    planned = prune(registry, 1, dry_run=True)
    assert registry.names() == sorted(nights)
    assert prune(registry, 1) == planned


def test_a_damaged_version_stays_and_is_named(registry: Registry, nights: list[str]) -> None:
    (registry.path(nights[0]) / "manifest.json").unlink()
    found = prune(registry, 1)
    assert found.damaged == (nights[0],)
    assert nights[0] in registry.names()


def test_leftovers_of_stopped_jobs_are_collected(registry: Registry, nights: list[str]) -> None:
    versions = registry.path(nights[0]).parent
    for name in (".staging-1", f".pruned-{nights[0]}"):
        (versions / name).mkdir()
        (versions / name / "part.npy").write_bytes(b"half")
    prune(registry, 1)
    assert {path.name for path in versions.iterdir()} == {nights[3], nights[4]}


def test_a_loaded_version_answers_after_it_was_removed(registry: Registry, nights: list[str]) -> None:
    loaded = registry.load(nights[0])
    before = loaded.model.embeddings.items.sum()
    prune(registry, 1)
    assert nights[0] not in registry.names()
    assert loaded.model.embeddings.items.sum() == before


def test_at_least_one_is_kept(registry: Registry, nights: list[str]) -> None:
    with pytest.raises(ArtifactError, match="expected 1 or more"):
        prune(registry, 0)


def test_rollback_passes_over_versions_that_are_gone(
    registry: Registry, nights: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    for name in nights[2:4]:
        registry.path(name).rename(registry.store / name)
    assert registry.rollback() == nights[1]
    assert f"{nights[3]} served before, but is no longer in" in caplog.text
    registry.path(nights[0]).rename(registry.store / nights[0])
    with pytest.raises(ArtifactError, match=f"none that served before {nights[1]} is left"):
        registry.rollback()
    (registry.store / nights[0]).rename(registry.path(nights[0]))
    assert registry.rollback() == nights[0]
    with pytest.raises(ArtifactError, match=f"no version served before {nights[0]}"):
        registry.rollback()


def test_a_version_that_is_removed_while_it_waits_to_serve_does_not_serve(
    registry: Registry, nights: list[str]
) -> None:
    waiting = Registry(registry.store, lock_wait_seconds=30)
    with ThreadPoolExecutor(1) as thread:
        with registry.locked():
            published = thread.submit(waiting.publish, nights[0])
            registry.path(nights[0]).rename(registry.store / "removed")
        with pytest.raises(ArtifactError, match=nights[0]):
            published.result()
    assert registry.current() == nights[4]


def test_a_dry_run_needs_no_lock(registry: Registry, nights: list[str]) -> None:
    with registry.locked():
        assert len(prune(Registry(registry.store, lock_wait_seconds=0), 1, dry_run=True).removed) == 3
