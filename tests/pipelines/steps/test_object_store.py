"""A job whose store lies in an object store, from the configuration to the commands."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.steps.run import run
from pipelines.steps.summaries import PublishSummary
from recsys.address import Address
from recsys.artifacts.bucket.registry import BucketRegistry
from recsys.errors import SupersededError
from recsys.objects import ObjectStore, open_object_store
from recsys.progress import silent
from recsys.remote import RemotePath
from tests.object_stores import Bucket
from tests.pipelines.conftest import Finished
from torture.versions import seal

STORE = "s3://shop-data/recs"

Recsys = Callable[..., Any]


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_STORE_CACHE", str(tmp_path / "cache"))


def _objects() -> ObjectStore:
    return open_object_store(RemotePath(Address(STORE)))


@pytest.fixture
def publish(finished: Finished, tmp_path: Path) -> Callable[..., PublishSummary]:
    """publish(**settings): the last step of a finished job, into the bucket."""
    workspace = shutil.copytree(finished[0].workspace, tmp_path / "work")

    def published(**settings: object) -> PublishSummary:
        section = finished[0].publish.model_copy(update={"store": RemotePath(Address(STORE)), **settings})
        config = finished[0].model_copy(update={"workspace": workspace, "publish": section})
        return run(config, steps=("publish",), progress=silent).publish

    return published


def test_a_night_publishes_into_a_bucket_and_every_command_works_on_it(
    publish: Callable[..., PublishSummary], bucket: Bucket, recsys: Recsys, tmp_path: Path
) -> None:
    version = publish().version
    pointer = _objects().read("CURRENT")
    assert pointer is not None and pointer.content.startswith(f"{version}\n".encode())
    assert _versions() == {version}
    listed = json.loads(recsys("models", "--store", STORE, "--json").stdout)
    assert [(each["version"], each["serving"]) for each in listed] == [(version, True)]
    assert recsys("export", "--store", STORE, "--out", tmp_path / "lists.csv", "-k", "1").returncode == 0
    with (tmp_path / "lists.csv").open(newline="") as file:
        user = next(csv.DictReader(file))["user_id"]
    asked = recsys("recommend", "--store", STORE, "--user", user, "-k", "3", "--json")
    assert json.loads(asked.stdout)["model_version"] == version
    assert recsys("rollback", "--store", STORE, version, "--hold", "--reason", "a look").returncode == 0
    second = publish(map="none")
    assert second.held == version and _versions() == {version, second.version}
    assert recsys("rollback", "--store", STORE, "--release").returncode == 0
    pruned = json.loads(recsys("prune", "--store", STORE, "--keep", "1", "--json").stdout)
    assert pruned["kept"] == [second.version] and pruned["protected"] == [version]
    assert recsys("report", "--store", STORE).stdout.startswith("# Evaluation report")

    told = json.loads(recsys("forget", user, "--store", STORE, "--yes", "--json").stdout)
    assert told["problems"] == [] and {*told["rewritten"]} == {version, second.version}
    assert _versions() == {*told["rewritten"].values()}
    assert any("earlier versions of objects" in each for each in told["elsewhere"])
    found = json.loads(recsys("subject", user, "--store", STORE, "--json").stdout)
    assert found["forgotten_at"] is not None and found["versions"] == []


def test_a_job_that_is_beaten_while_it_uploads_learns_it(
    publish: Callable[..., PublishSummary], bucket: Bucket, tmp_path: Path
) -> None:
    other = BucketRegistry(_objects(), tmp_path / "other machine")
    quicker = seal(other.store, approximate=False)
    bucket.before_upload = lambda: other.publish(quicker)
    with pytest.raises(SupersededError, match=f"{quicker} serves, expected nothing"):
        publish()
    other.refresh()
    assert other.current() == quicker and len(other.names()) == 2


def _versions() -> set[str]:
    return {each.key.split("/")[1] for each in _objects().list("versions")}


@pytest.mark.parametrize(
    ("store", "told"),
    [
        ("s3://never-made/recs", "publish.store: s3://never-made/recs"),
        ("https://example.com/recs", "expected a folder, or an address as s3://bucket/folder"),
        ("s3:/shop-data/recs", "expected two slashes: s3://"),
        ("s3://shop-data/*/recs", "expected a folder, or an address"),
        ("s3://key:secret-of-mine@shop-data/recs", "the password is written out"),
        ("s3://shop-data/recs?sheme=http", "unknown option 'sheme'"),
    ],
)
def test_a_store_that_cannot_be_written_is_told_before_any_work(
    shop: Path, bucket: Bucket, recsys: Recsys, store: str, told: str
) -> None:
    ended = recsys("run", shop, "--set", f"publish.store={store}")
    assert ended.returncode == 2 and told in ended.stderr and "secret-of-mine" not in ended.stderr
    assert not (shop.parent / "work" / "prepare").exists()


@pytest.mark.parametrize(
    "store", ["https://example.com/recs", "s3:/shop-data/recs", "s3://shop-data/recs?sheme=http"]
)
def test_a_command_refuses_what_is_no_store(recsys: Recsys, store: str) -> None:
    ended = recsys("models", "--store", store)
    assert ended.returncode == 2 and f"--store {store}" in ended.stderr.replace("error: s3", "error: --store s3")
