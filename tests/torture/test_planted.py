"""Versions whose hashes are right and that cannot serve: publish, rollback and the service refuse each of them."""

import shutil
from pathlib import Path

import pytest

from api.stores.model_watch import ModelWatch
from recsys.artifacts.bundle import VERSIONS
from recsys.artifacts.registry import Registry
from recsys.artifacts.store_reader import CURRENT
from recsys.engine.rehearsal import check_serves
from recsys.errors import ArtifactError
from torture.plants import PLANTS
from torture.versions import change, seal


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that serves a sound version."""
    store = tmp_path_factory.mktemp("planted") / "store"
    Registry(store, check=check_serves).publish(seal(store))
    return store


@pytest.fixture
def store(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "store"))


def test_a_version_that_was_sealed_again_unchanged_serves(store: Path) -> None:
    registry = Registry(store, check=check_serves)
    again = change(store, registry.current() or "", lambda folder: None)
    assert registry.publish(again)


@pytest.mark.parametrize("name", PLANTS)
def test_it_is_refused_by_publish_rollback_and_the_service(store: Path, name: str) -> None:
    registry = Registry(store, check=check_serves)
    sound = registry.current()
    planted = change(store, sound or "", PLANTS[name])
    for move in (registry.publish, registry.rollback):
        with pytest.raises(ArtifactError):
            move(planted)
    assert registry.current() == sound
    if planted != sound:  # what a name does not depend on is changed in place
        shutil.rmtree(store / VERSIONS / (sound or ""))
    (store / CURRENT).write_text(f"{planted}\n", encoding="ascii")
    watch = ModelWatch(store)
    watch.refresh()
    assert watch.engine is None
