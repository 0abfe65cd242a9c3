"""A service whose store lies in an object store: it serves from its cache, follows, and says how it stands."""

import re
import time
from pathlib import Path

import pytest

from api.process.server import serve
from api.settings import Settings
from recsys.address import Address
from recsys.artifacts.bucket import read_pointer
from recsys.errors import ConfigError
from recsys.objects import open_object_store
from recsys.remote import RemotePath
from torture.object_versions import put_version

ADDRESS = "s3://shop-data/live"
ADMIN = {"authorization": "Bearer correct horse battery"}


@pytest.fixture
def objects(bucket):
    return open_object_store(RemotePath(Address(ADDRESS)), seconds=2)


@pytest.fixture
def published(objects, store):
    """The version of the shared store, published to the object store: its name."""
    version = (store / "CURRENT").read_text().strip()
    put_version(objects, store / "versions" / version)
    return version


@pytest.fixture
def settings(tmp_path):
    return Settings(store=ADDRESS, cache=tmp_path / "cache", poll_seconds=0.05, admin_key="correct horse battery")


def wait_for(service, condition, *, seconds=20.0):
    """The reply of /readyz once it fulfils `condition`."""
    end = time.monotonic() + seconds
    while not condition(reply := service.get("/readyz")):
        assert time.monotonic() < end, reply.text
        service.wait(0.05)
    return reply


def is_ready(reply):
    return reply.status_code == 200


def metric(service, name):
    (found,) = re.findall(rf"^{name} (\S+)$", service.get("/metrics").text, re.MULTILINE)
    return float(found)


def folder_of(settings):
    (folder,) = Path(settings.cache).iterdir()
    return folder


def test_it_serves_what_was_published_and_follows_the_next_version(
    start, settings, published, objects, publish, tmp_path, service, bucket
):
    replica = start(settings)
    assert wait_for(replica, is_ready).json()["model_version"] == published
    path = "/v1/users/ada/recommendations"
    expected, found = service.get(path).json(), replica.get(path).json()
    assert {**found, "recommendation_id": ""} == {**expected, "recommendation_id": ""}
    wait_for(replica, lambda _: metric(replica, "recsys_replica_up") == 1)  # a version can serve before its look ends
    assert metric(replica, "recsys_replica_downloads_total") == 1
    assert (
        metric(replica, "recsys_replica_downloaded_bytes_total") == metric(replica, "recsys_replica_cache_bytes") > 0
    )
    assert metric(replica, "recsys_replica_age_seconds") < 20
    later = publish(tmp_path / "other", seed=5)
    put_version(objects, tmp_path / "other" / "versions" / later)
    wait_for(replica, lambda reply: reply.json()["model_version"] == later)


def test_while_the_object_store_is_away_it_serves_and_warns(start, settings, published, bucket):
    replica = start(settings)
    wait_for(replica, is_ready)
    bucket.faults = ["403"] * 10_000
    warned = wait_for(replica, lambda reply: "warning" in reply.json())
    assert warned.status_code == 200
    assert re.fullmatch(
        r"the object store denies access for \d+ s; the service's log says why", warned.json()["warning"]
    )
    assert metric(replica, "recsys_replica_up") == 0
    assert metric(replica, "recsys_replica_failures_total") >= 1
    again = start(settings)
    assert again.get("/readyz").json()["model_version"] == published, "a restart serves from the cache"
    bucket.faults = []
    wait_for(replica, lambda reply: "warning" not in reply.json())


def test_with_an_empty_cache_and_no_store_it_waits_and_says_so(start, settings, bucket, objects, store):
    bucket.faults = ["403"] * 10_000
    replica = start(settings)
    reply = wait_for(replica, lambda reply: "nothing is in the cache" in reply.text)
    assert reply.status_code == 503
    assert "and the object store denies access" in reply.json()["detail"]
    bucket.faults = []
    put_version(objects, store / "versions" / (store / "CURRENT").read_text().strip())
    wait_for(replica, is_ready)


def test_a_damaged_cache_is_downloaded_again(start, settings, published):
    first = start(settings)
    wait_for(first, is_ready)
    first.stop()
    damaged = folder_of(settings) / "versions" / published / "items.arrow"
    damaged.chmod(0o644)
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    second = start(settings)
    assert second.get("/readyz").status_code == 503, "what is damaged does not serve"
    wait_for(second, is_ready)
    assert metric(second, "recsys_replica_damaged_total") == 1


def test_the_operator_changes_the_object_store_through_a_replica(
    start, settings, published, objects, publish, tmp_path
):
    later = publish(tmp_path / "other", seed=5)
    put_version(objects, tmp_path / "other" / "versions" / later)
    replica = start(settings)
    assert wait_for(replica, is_ready).json()["model_version"] == later
    assert replica.send("POST", "/admin/rollback", headers=ADMIN).json()["model_version"] == published
    assert read_pointer(objects).pointer.serving == published
    assert replica.send("DELETE", "/v1/users/ada", headers=ADMIN).status_code == 200
    assert "FORGOTTEN" in read_pointer(objects).pointer.files
    assert replica.get("/v1/users/ada/recommendations").json()["user"]["status"] == "fallback"
    assert not list(folder_of(settings).glob(".changing-*"))


def test_a_replica_that_may_only_read_refuses_changes(start, settings, published, bucket, objects):
    replica = start(settings)
    wait_for(replica, is_ready)
    pointer, before = read_pointer(objects), (folder_of(settings) / "HISTORY").read_bytes()
    bucket.write_faults = ["403"] * 100
    refused = [
        replica.send("POST", f"/admin/rollback?version={published}", headers=ADMIN),
        replica.send("DELETE", "/v1/users/ada", headers=ADMIN),
    ]
    assert [(each.status_code, each.json()["code"]) for each in refused] == [(409, "store_refused")] * 2
    assert read_pointer(objects, known=pointer) is pointer
    assert (folder_of(settings) / "HISTORY").read_bytes() == before
    assert replica.get("/v1/users/ada/recommendations").json()["user"]["status"] == "known"
    assert replica.send("POST", "/admin/reload", headers=ADMIN).json()["model_version"] == published


def test_a_reload_looks_at_the_object_store(start, settings, published, objects, publish, tmp_path):
    replica = start(settings.model_copy(update={"poll_seconds": 3600.0}))
    wait_for(replica, is_ready)
    later = publish(tmp_path / "other", seed=5)
    put_version(objects, tmp_path / "other" / "versions" / later)
    assert replica.send("POST", "/admin/reload", headers=ADMIN).json()["model_version"] == later


def test_stores_in_folders_and_in_object_stores_side_by_side(start, settings, published, store):
    named = type(settings.store)(f"near={store},far={ADDRESS}")
    both = start(settings.model_copy(update={"store": named}))
    assert both.get("/readyz").status_code == 503, "that nothing was published there is not known yet"
    reply = wait_for(both, is_ready)
    assert reply.json()["stores"] == {"near": published, "far": published}
    assert both.get("/v1/far/model").json()["model_version"] == published
    is_up = re.compile(r'^recsys_replica_up\{store="far"\} 1.0$', re.MULTILINE)
    wait_for(both, lambda _: is_up.search(both.get("/metrics").text) is not None)


def test_without_vectors_of_users(start, settings, published, service):
    replica = start(settings.model_copy(update={"users": "fold_in"}))
    wait_for(replica, is_ready)
    assert not list(folder_of(settings).rglob("model/users.npy"))
    path = "/v1/users/ada/recommendations"
    assert replica.get(path).json()["items"] == service.get(path).json()["items"]


@pytest.mark.parametrize(
    ("store", "why"),
    [
        ("s3://", "names no bucket"),
        ("https://example.org/store", "expected a folder in an object store"),
        ("s4://b/x", "unknown scheme 's4'"),
        ("s3://user:hunter22hunter@b/x?nothing=1", "unknown option 'nothing'"),
    ],
)
def test_an_address_that_is_none_is_named_without_its_secrets(store, why, tmp_path):
    with pytest.raises(ConfigError, match=re.escape("--store (RECSYS_STORE): ") + ".*" + why) as caught:
        serve(Settings(store=store, cache=tmp_path, port=0))
    assert "hunter22" not in str(caught.value)


def test_a_cache_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"--cache \(RECSYS_CACHE\): .*/file/.*expected a folder that the service"):
        serve(Settings(store=ADDRESS, cache=tmp_path / "file", port=0))
