"""A replica has what the object store says, whole, or what it said before."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from recsys.artifacts.bucket import read_pointer
from recsys.artifacts.contents import USER_VECTORS
from recsys.artifacts.hold import Hold
from recsys.artifacts.manifest import SIGNATURE
from recsys.artifacts.registry import Registry
from recsys.experiments.plan import Experiment, Goal
from recsys.objects import ObjectStore
from recsys.replica import Bounds, Cache, Replica
from recsys.replica.leases import Leases, try_lock
from tests.object_stores import Bucket
from torture.object_versions import let_serve, put_version

MakeReplica = Callable[..., Replica]

GONE = ["503"] * 100


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_has_what_was_published(replica: Replica, objects: ObjectStore, sealed: list[Path]) -> None:
    put_version(objects, sealed[0], FORGOTTEN="recsys-forgotten 1 " + "0" * 64 + "\n")
    assert replica.look()
    registry = Registry(replica.folder)
    assert registry.load().manifest.version == sealed[0].name
    assert files_of(registry.path(sealed[0].name)) == files_of(sealed[0])
    assert [entry.version for entry in registry.history()] == [sealed[0].name]
    assert (replica.folder / "FORGOTTEN").read_text().startswith("recsys-forgotten 1 ")
    status = replica.status
    assert (status.fault, status.n_downloads, status.cached_versions) == (None, 1, 1)
    assert status.downloaded_bytes == status.cached_bytes == sum(map(len, files_of(sealed[0]).values()))


def test_nothing_published_is_no_fault(replica: Replica) -> None:
    assert not replica.look()
    assert replica.status.fault is None and replica.status.followed_at is not None
    assert Registry(replica.folder).current() is None


def test_a_look_at_what_has_not_changed_transfers_nothing(
    replica: Replica, objects: ObjectStore, sealed: list[Path], bucket: Bucket
) -> None:
    put_version(objects, sealed[0])
    assert replica.look()
    bucket.requests.clear()
    assert not replica.look()
    assert len(bucket.requests) == 2, "the pointer and the scenarios, on condition that they have changed"


def test_it_follows_publishes_and_rollbacks_and_downloads_each_version_once(
    replica: Replica, objects: ObjectStore, sealed: list[Path]
) -> None:
    for folder in sealed[:3]:
        put_version(objects, folder)
        assert replica.look()
        assert Registry(replica.folder).load().manifest.version == folder.name
    let_serve(objects, sealed[0].name)
    assert replica.look()
    assert Registry(replica.folder).current() == sealed[0].name
    assert replica.status.n_downloads == 3


def test_the_versions_of_an_experiment_and_the_one_that_is_held_come_too(
    replica: Replica, objects: ObjectStore, sealed: list[Path]
) -> None:
    put_version(objects, sealed[0])
    put_version(objects, sealed[1])
    at = "2026-01-01T00:00:00+00:00"
    goal = Goal(effect=0.1, baseline=0.1, needed_once=1, needed=1, tightest_at=1.0)
    arms = Experiment(
        name="e",
        salt="0" * 16,
        control="current",
        treatment=sealed[0].name,
        share=0.5,
        started_at=at,
        share_since=at,
        goal=goal,
    )
    hold = Hold.of(sealed[1].name)
    put_version(objects, sealed[2], EXPERIMENT=arms.model_dump_json(), HOLD=hold.model_dump_json())
    assert replica.look()
    registry = Registry(replica.folder)
    assert set(registry.names()) == {folder.name for folder in sealed[:3]}
    assert registry.in_experiment() == {sealed[0].name}
    assert registry.held() == sealed[1].name


def test_a_store_that_is_away_leaves_what_is_here_and_is_told(
    make_replica: MakeReplica,
    objects: ObjectStore,
    sealed: list[Path],
    bucket: Bucket,
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = [1000.0]
    replica = make_replica(clock=lambda: now[0])
    put_version(objects, sealed[0])
    assert replica.look()
    bucket.faults = GONE.copy()
    for now[0] in (1002.0, 1004.0):
        assert not replica.look()
    status = replica.status
    assert status.fault == "the object store does not answer"
    assert (status.since, status.followed_at, status.n_failures) == (1002.0, 1000.0, 2)
    assert len([each for each in caplog.records if "serves on" in each.message]) == 1, "told once"
    assert Registry(replica.folder).load().manifest.version == sealed[0].name
    bucket.faults.clear()
    now[0] = 1006.0
    replica.look()
    assert (replica.status.fault, replica.status.since, replica.status.followed_at) == (None, None, 1006.0)
    assert "the-secret-of-the-test" not in caplog.text


def test_a_process_that_starts_while_the_store_is_away_has_what_is_cached(
    replica: Replica, make_replica: MakeReplica, objects: ObjectStore, sealed: list[Path], bucket: Bucket
) -> None:
    put_version(objects, sealed[0])
    replica.look()
    bucket.faults = GONE.copy()
    again = make_replica()
    again.look()
    assert again.status.fault and Registry(again.folder).load().manifest.version == sealed[0].name


def test_an_emptied_bucket_takes_nothing_away(replica: Replica, objects: ObjectStore, sealed: list[Path]) -> None:
    put_version(objects, sealed[0])
    replica.look()
    objects.delete(["CURRENT"])
    assert not replica.look()
    assert replica.status.fault == "what the object store says cannot be followed"
    assert Registry(replica.folder).load().manifest.version == sealed[0].name


@pytest.mark.parametrize("fault", ["cut", "altered", "503", "404", "broken"])
def test_the_old_version_serves_until_the_new_one_is_whole(
    make_replica: MakeReplica, objects: ObjectStore, sealed: list[Path], bucket: Bucket, fault: str
) -> None:
    replica = make_replica()
    put_version(objects, sealed[0])
    replica.look()
    put_version(objects, sealed[1])
    bucket.faults = ["", "", "", *[fault] * 100]  # after the pointer, the scenarios and the manifest
    assert not replica.look()
    assert replica.status.fault
    registry = Registry(replica.folder)
    assert registry.load().manifest.version == sealed[0].name and registry.names() == [sealed[0].name]
    bucket.faults.clear()
    assert replica.look()
    assert registry.load().manifest.version == sealed[1].name


def test_who_was_forgotten_is_known_before_a_version_is_downloaded(
    replica: Replica, objects: ObjectStore, sealed: list[Path], bucket: Bucket
) -> None:
    put_version(objects, sealed[0])
    replica.look()
    put_version(objects, sealed[1], FORGOTTEN="recsys-forgotten 1 " + "0" * 64 + "\n")
    bucket.faults = ["", "", *GONE]
    assert not replica.look()
    assert (replica.folder / "FORGOTTEN").exists()
    assert Registry(replica.folder).current() == sealed[0].name


def test_a_version_that_could_not_be_loaded_is_verified_and_downloaded_again(
    replica: Replica, objects: ObjectStore, sealed: list[Path]
) -> None:
    put_version(objects, sealed[0])
    replica.look()
    registry = Registry(replica.folder)
    damaged = registry.path(sealed[0].name) / "items.arrow"
    damaged.chmod(0o644)
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    replica.suspect(sealed[0].name)
    assert replica.look(least_age=1000.0), "a suspect does not wait"
    assert registry.load().manifest.version == sealed[0].name
    assert (replica.status.n_damaged, replica.status.n_downloads) == (1, 2)
    replica.suspect(sealed[0].name)
    replica.look()
    assert (replica.status.n_damaged, replica.status.n_downloads) == (1, 2), "a sound one stays"


def test_a_version_that_somebody_removed_from_the_cache_comes_back(
    replica: Replica, objects: ObjectStore, sealed: list[Path]
) -> None:
    put_version(objects, sealed[0])
    replica.look()
    shutil.rmtree(replica.folder / "versions" / sealed[0].name)
    assert replica.look()
    assert Registry(replica.folder).load().manifest.version == sealed[0].name


def test_a_file_of_the_store_that_somebody_changed_in_the_cache_is_as_the_store_says_again(
    replica: Replica, objects: ObjectStore, sealed: list[Path]
) -> None:
    put_version(objects, sealed[0])
    replica.look()
    (replica.folder / "CURRENT").write_text("v0000000000000000\n")
    assert replica.look()
    assert Registry(replica.folder).current() == sealed[0].name


def test_without_vectors_of_users_they_are_not_downloaded(
    make_replica: MakeReplica, objects: ObjectStore, sealed: list[Path], bucket: Bucket, tmp_path: Path
) -> None:
    put_version(objects, sealed[0])
    replica = make_replica(users="fold_in")
    bucket.requests.clear()
    assert replica.look()
    assert not [each for each in bucket.requests if USER_VECTORS in each]
    folder = replica.folder / "versions" / sealed[0].name
    assert not (folder / USER_VECTORS).exists()
    assert Registry(replica.folder, users="fold_in").load().folds_users
    assert not replica.look(), "it is whole"
    assert make_replica(users="stored").look(), "the same cache, with the vectors"
    assert Registry(replica.folder).load().manifest.version == sealed[0].name


def test_a_full_disk_leaves_the_old_version_and_is_told(
    replica: Replica, objects: ObjectStore, sealed: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    put_version(objects, sealed[0])
    replica.look()
    put_version(objects, sealed[1])

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        assert not replica.look()
    assert replica.status.fault == "the disk of the cache is full or cannot be written"
    registry = Registry(replica.folder)
    assert registry.load().manifest.version == sealed[0].name and registry.names() == [sealed[0].name]
    assert replica.look()


def test_old_versions_leave_the_cache_and_what_serves_stays(
    make_replica: MakeReplica, objects: ObjectStore, sealed: list[Path]
) -> None:
    replica = make_replica(bounds=Bounds(versions=2))
    lease = Leases(replica.folder)
    for at, folder in enumerate(sealed):
        put_version(objects, folder)
        replica.look()
        if at == 1:
            lease.hold({sealed[0].name})
    names = {path.name for path in (replica.folder / "versions").iterdir()}
    assert names == {sealed[0].name, sealed[4].name}, "the one that a process serves, and the one that is published"
    lease.release()
    put_version(objects, sealed[3])
    replica.look()
    assert {path.name for path in (replica.folder / "versions").iterdir()} == {sealed[3].name, sealed[4].name}


def test_a_bound_in_bytes(make_replica: MakeReplica, objects: ObjectStore, sealed: list[Path]) -> None:
    size = sum(map(len, files_of(sealed[0]).values()))
    replica = make_replica(bounds=Bounds(versions=10, size=2 * size + 2000))
    for folder in sealed[:4]:
        put_version(objects, folder)
        replica.look()
    assert {path.name for path in (replica.folder / "versions").iterdir()} == {each.name for each in sealed[2:4]}
    small = make_replica(bounds=Bounds(versions=10, size=1))
    put_version(objects, sealed[4])
    small.look()
    assert Registry(small.folder).load().manifest.version == sealed[4].name, "what serves is kept whatever its size"


def test_a_version_that_the_store_no_longer_has_leaves_the_cache(
    replica: Replica, objects: ObjectStore, sealed: list[Path]
) -> None:
    """As after `recsys prune` and, of a version that held somebody who was forgotten, `recsys forget`."""
    put_version(objects, sealed[0])
    replica.look()
    put_version(objects, sealed[1])
    replica.look()
    kept = read_pointer(objects).pointer.versions
    let_serve(objects, sealed[1].name, {sealed[1].name: kept[sealed[1].name]})
    replica.look()
    assert Registry(replica.folder).names() == [sealed[1].name]


def test_one_process_looks_at_a_time_and_not_too_often(
    make_replica: MakeReplica, objects: ObjectStore, sealed: list[Path], bucket: Bucket
) -> None:
    now = [1000.0]
    one, other = make_replica(clock=lambda: now[0]), make_replica(clock=lambda: now[0])
    put_version(objects, sealed[0])
    assert one.look(least_age=2.0)
    bucket.requests.clear()
    now[0] = 1001.0
    assert not other.look(least_age=2.0) and bucket.requests == []
    now[0] = 1002.0
    with try_lock(one.folder / ".replica.lock") as locked:
        assert locked and not other.look(least_age=2.0) and bucket.requests == []
    other.look(least_age=2.0)
    assert bucket.requests


def test_what_a_killed_process_left_is_removed(replica: Replica, objects: ObjectStore, sealed: list[Path]) -> None:
    left = replica.folder / ".incoming-1-abcd" / sealed[0].name
    left.mkdir(parents=True)
    (left / "items.arrow").write_bytes(b"half")
    aside = replica.folder / "versions" / f".evicted-{sealed[0].name}-1"
    aside.mkdir(parents=True)
    put_version(objects, sealed[0])
    assert replica.look()
    assert not left.parent.exists() and not aside.exists()


def test_scenarios_beside_the_pointer_come_along(replica: Replica, objects: ObjectStore) -> None:
    objects.write("scenarios.toml", b"[home]\n")
    replica.look()
    assert (replica.folder / "scenarios.toml").read_text() == "[home]\n"
    objects.delete(["scenarios.toml"])
    replica.look()
    assert not (replica.folder / "scenarios.toml").exists()


def test_an_address_that_names_nothing_to_follow_is_told_once_and_tried_again(
    replica: Replica, objects: ObjectStore, bucket: Bucket, sealed: list[Path]
) -> None:
    bucket.faults = ["403"]
    assert not replica.look()
    assert replica.status.fault == "the object store denies access"
    put_version(objects, sealed[0])
    assert replica.look()


def test_a_version_that_is_signed_later_is_signed_here_too(
    replica: Replica, objects: ObjectStore, sealed: list[Path]
) -> None:
    put_version(objects, sealed[0])
    replica.look()
    (upload,) = read_pointer(objects).pointer.versions.values()
    signed = upload.model_copy(update={"signature": "hmac-sha256 " + "0" * 64 + "\n"})
    let_serve(objects, sealed[0].name, {sealed[0].name: signed})
    replica.look()
    assert (replica.folder / "versions" / sealed[0].name / SIGNATURE).read_text() == signed.signature
    assert replica.status.n_downloads == 1


def test_a_lease_counts_as_long_as_its_process_lives(tmp_path: Path) -> None:
    one, other = Leases(tmp_path), Leases(tmp_path)
    one.hold({"v1", "v2"})
    other.hold({"v3"})
    assert Leases(tmp_path).held() == {"v1", "v2", "v3"}
    one.hold({"v2"})
    assert other.held() == {"v2", "v3"}
    one.release()
    (tmp_path / ".leases" / "of-a-killed-process").write_text("v9")
    assert other.held() == {"v3"}
    assert len(list((tmp_path / ".leases").iterdir())) == 1


def test_history_is_never_there_before_the_first_version(
    replica: Replica, objects: ObjectStore, sealed: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that finds HISTORY alone takes CURRENT for lost."""
    for folder in sealed[:2]:
        put_version(objects, folder)
    put, seen = Cache.put, []

    def watched(cache: Cache, name: str, text: str | None) -> bool:
        changed = put(cache, name, text)
        seen.append(((cache.folder / "CURRENT").exists(), (cache.folder / "HISTORY").exists()))
        return changed

    monkeypatch.setattr(Cache, "put", watched)
    replica.look()
    assert (False, True) not in seen and (True, True) in seen
