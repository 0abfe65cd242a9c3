"""Sealed versions, the object store they are published to, and replicas of it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from recsys.address import Address
from recsys.artifacts.bundle import seal_bundle
from recsys.objects import ObjectStore, open_object_store
from recsys.remote import RemotePath
from recsys.replica import Replica
from torture.versions import facts, plain_contents

MakeReplica = Callable[..., Replica]


@pytest.fixture(scope="session")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The folders of five sealed versions; nobody changes them."""
    store = tmp_path_factory.mktemp("sealed")
    return [store / "versions" / seal_bundle(store, plain_contents(), facts(seed)).version for seed in range(5)]


@pytest.fixture
def objects(request: pytest.FixtureRequest) -> ObjectStore:
    """The object store `s3://shop-data/store`: over HTTP for a test with a `bucket` that fails, else in memory."""
    path = RemotePath(Address("s3://shop-data/store"))
    if "bucket" not in request.fixturenames:
        return ObjectStore(MemoryStore(), path)
    request.getfixturevalue("bucket")
    return open_object_store(path, seconds=2).with_pause(0.001)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def make_replica(objects: ObjectStore, cache: Path) -> MakeReplica:
    """make_replica(folder=..., **options): a replica of the object store."""
    return lambda folder=cache, **options: Replica(objects, folder, **options)


@pytest.fixture
def replica(make_replica: MakeReplica) -> Replica:
    return make_replica()
