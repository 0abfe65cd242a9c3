"""A store in a bucket on loopback, and registries of it, as on machines of their own."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from recsys.address import Address
from recsys.artifacts.bucket.registry import BucketRegistry
from recsys.artifacts.manifest import Manifest
from recsys.objects import ObjectStore, open_object_store
from recsys.remote import RemotePath

Seal = Callable[..., Manifest]


@pytest.fixture
def objects(request: pytest.FixtureRequest) -> ObjectStore:
    """An empty store: of an S3 server on loopback if the test takes its `bucket`, else of obstore's own in memory."""
    path = RemotePath(Address("s3://shop-data/store"))
    if "bucket" not in request.fixturenames:
        return ObjectStore(MemoryStore(), path, pause=0.001)
    request.getfixturevalue("bucket")
    return open_object_store(path, seconds=2).with_pause(0.001)


@pytest.fixture
def machine(objects: ObjectStore, tmp_path: Path) -> Callable[..., BucketRegistry]:
    """machine(folder=None): a registry of the store; without a folder on a machine that has seen nothing of it."""
    numbers = itertools.count()

    def made(folder: Path | None = None) -> BucketRegistry:
        return BucketRegistry(objects, folder or tmp_path / f"machine-{next(numbers)}")

    return made


@pytest.fixture
def here(machine: Callable[..., BucketRegistry], store: Path) -> BucketRegistry:
    """The registry of the machine on which `seal` seals."""
    return machine(store)
