"""Jobs that publish on one store at the same time: exactly one of them does, and the others learn it."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from recsys.artifacts.manifest import Manifest
from recsys.artifacts.registry import Registry
from recsys.errors import SupersededError

Seal = Callable[..., Manifest]

_PUBLISH = (
    "import sys; from recsys.artifacts.registry import Registry; from recsys.errors import SupersededError\n"
    "store, version, parent = sys.argv[1:]; registry = Registry(store); print('ready', flush=True); input()\n"
    "try: registry.publish(version, parent=parent)\n"
    "except SupersededError as error: print(error); sys.exit(5)\n"
)


def test_of_processes_that_publish_at_once_exactly_one_does(registry: Registry, seal: Seal) -> None:
    parent = seal(0).version
    registry.publish(parent)
    sealed = [seal(seed).version for seed in (1, 2, 3)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _PUBLISH, str(registry.store), version, parent],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for version in sealed
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    told = [process.communicate(timeout=60)[0] for process in processes]
    codes = [process.returncode for process in processes]
    assert sorted(codes) == [0, 5, 5]
    winner = sealed[codes.index(0)]
    assert registry.current() == winner
    assert [entry.version for entry in registry.history()] == [parent, winner]
    assert all(f"not published: {winner} serves, expected {parent}" in text for text in told if text)


def test_a_version_whose_parent_serves_no_more_is_not_published(registry: Registry, versions: list[str]) -> None:
    with pytest.raises(SupersededError, match=rf"{versions[2]} serves, expected {versions[1]}, with which"):
        registry.publish(versions[0], parent=versions[1])
    with pytest.raises(SupersededError, match="expected nothing"):
        registry.publish(versions[0], parent=None)
    assert registry.current() == versions[2]
    assert registry.publish(versions[0], parent=versions[2])
    assert registry.current() == versions[0]


def test_two_jobs_that_made_the_same_version_publish_it_once(registry: Registry, versions: list[str]) -> None:
    assert registry.publish(versions[2], parent=versions[1])
    assert len(registry.history()) == 3


def test_of_the_first_versions_of_a_store_one_is_published(registry: Registry, seal: Seal) -> None:
    first, second = seal(1).version, seal(2).version
    assert registry.publish(first, parent=None)
    with pytest.raises(SupersededError, match=f"{first} serves, expected nothing"):
        registry.publish(second, parent=None)
