"""Short forms of the campaign on replicas; `make torture TORTURE_ARGS=replicas` runs it long."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from recsys.artifacts.registry import Registry
from tests.object_stores import Bucket, login, proxied
from torture import replicas
from torture.object_versions import let_serve


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="module")
def bucket(s3_server: str) -> Iterator[Bucket]:
    """A bucket of these tests."""
    with pytest.MonkeyPatch.context() as patched, proxied(s3_server) as made:
        made.empty()
        for name, value in login(made.endpoint).items():
            patched.setenv(name, value)
        yield made


@pytest.fixture(scope="module")
def versions(bucket: Bucket, tmp_path_factory: pytest.TempPathFactory) -> replicas.Versions:
    return replicas.upload(tmp_path_factory.mktemp("sealed"))


def test_an_object_store_that_fails_leaves_whole_versions(
    versions: replicas.Versions, bucket: Bucket, tmp_path: Path
) -> None:
    found = replicas.campaign(3, versions, bucket.faults, tmp_path)
    assert (found.n_tried, found.failures) == (3, [])


def test_a_replica_that_compares_nothing_is_found(
    versions: replicas.Versions, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recsys.artifacts.bucket.download.check_digest", lambda path, found, expected: None)
    plan = lambda rng: ["", "", "", *["altered"] * 30]  # noqa: E731  (after the pointer, the scenarios, the manifest)
    assert replicas.campaign(1, versions, bucket.faults, tmp_path, plan=plan).failures


def test_ten_replicas_follow_a_publish_within_their_poll_interval(
    versions: replicas.Versions, tmp_path: Path, s3_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first look of each that begins after the publish brings the version."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{s3_server}")
    let_serve(versions.objects, versions.old)
    folders = [tmp_path / f"cache-{number}" for number in range(10)]
    for folder in folders:
        versions.fill(folder)
    waiting = {str(number) for number in range(10)}
    with replicas.follower(folders, poll=0.3) as (_, lines):
        started: set[str] = set()
        while started < waiting:
            number, _, version = next(lines).split()
            assert version == versions.old
            started.add(number)
        let_serve(versions.objects, versions.new)
        published = time.time()
        for number, began, version in map(str.split, lines):
            if float(began) >= published and number in waiting:
                assert version == versions.new
                waiting.discard(number)
            if not waiting:
                break
    assert {Registry(folder).load().manifest.version for folder in folders} == {versions.new}
