"""A registry in an object store does what one on a disk does, and two of them never disagree."""

import itertools
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from recsys.artifacts.bucket.pointer import POINTER
from recsys.artifacts.bucket.registry import BucketRegistry
from recsys.artifacts.experiments import Experiments
from recsys.artifacts.inventory import take_inventory
from recsys.artifacts.manifest import Manifest
from recsys.artifacts.pruning import prune
from recsys.artifacts.purging import purge
from recsys.artifacts.signature import SigningKey
from recsys.artifacts.tombstones import add_tombstones
from recsys.errors import ArtifactError, ConflictError, ForgottenError, ObjectStoreError, SupersededError
from recsys.experiments.plan import Goal
from recsys.forgotten import read_forgotten
from recsys.objects import ObjectStore
from tests.object_stores import Bucket

Seal = Callable[..., Manifest]
Machine = Callable[..., BucketRegistry]


def _folders(objects: ObjectStore) -> set[str]:
    return {each.key.split("/")[1] for each in objects.list("versions")}


def _published(here: BucketRegistry, seal: Seal, n: int) -> list[str]:
    names = [seal(seed).version for seed in range(n)]
    for name in names:
        here.publish(name)
    return names


def test_what_one_machine_publishes_another_one_loads(here: BucketRegistry, seal: Seal, machine: Machine) -> None:
    assert here.current() is None and machine().names() == []
    first, second = _published(here, seal, 2)
    there = machine()
    assert there.current() == second and there.names() == sorted([first, second])
    assert there.load().manifest == here.load().manifest
    assert [(each.action, each.version, each.previous) for each in there.history()] == [
        ("publish", first, None),
        ("publish", second, first),
    ]
    assert [each.version for each in take_inventory(there).versions] == [second, first]


def test_a_manifest_is_read_without_the_version(
    here: BucketRegistry, seal: Seal, machine: Machine, bucket: Bucket
) -> None:
    (name,) = _published(here, seal, 1)
    there = machine()
    bucket.requests.clear()
    assert there.manifest(name) == here.manifest(name) and there.size(name) > 0
    assert len(bucket.requests) == 1 and bucket.requests[0].endswith("/manifest.json")


def test_rollback_hold_and_release_are_seen_by_others(here: BucketRegistry, seal: Seal, machine: Machine) -> None:
    first, second = _published(here, seal, 2)
    there = machine()
    assert there.rollback() == first
    here.refresh()
    assert here.current() == first and here.history()[-1].action == "rollback"
    here.hold(second, reason="a look")
    there.refresh()
    assert (there.current(), there.held()) == (second, second)
    third = seal(3).version
    assert here.publish(third) is False
    assert machine().has(third)
    there.release()
    assert here.publish(third) is True
    assert machine().current() == third


def test_the_loser_of_two_publishers_learns_it(here: BucketRegistry, seal: Seal, machine: Machine) -> None:
    (first,) = _published(here, seal, 1)
    mine, other = seal(1).version, seal(2).version
    there = machine(here.store)
    there.publish(other, parent=first)
    with pytest.raises(SupersededError, match=f"{other} serves, expected {first}"):
        here.publish(mine, parent=first)
    assert machine().current() == other and machine().has(mine)


@pytest.mark.parametrize("n", [2, 4])
def test_of_publishers_at_the_same_time_exactly_one_wins(
    here: BucketRegistry, seal: Seal, machine: Machine, n: int
) -> None:
    names = [seal(seed).version for seed in range(n + 1)]
    for name in names:
        here.add(name)
    racers, parent = [machine() for _ in range(n)], None
    for _ in range(3):
        won, lost = _race(racers, [name for name in names if name != parent][:n], parent)
        parent = machine().current()
        assert won == [parent] and len(lost) == n - 1
        assert machine().history()[-1].version == parent


def _race(
    racers: list[BucketRegistry], names: list[str], parent: str | None
) -> tuple[list[str], list[SupersededError]]:
    won: list[str] = []
    lost: list[SupersededError] = []
    start = threading.Barrier(len(racers))

    def publish(racer: BucketRegistry, name: str) -> None:
        start.wait()
        try:
            racer.publish(name, parent=parent)
            won.append(name)
        except SupersededError as error:
            lost.append(error)

    threads = [threading.Thread(target=publish, args=pair) for pair in zip(racers, names, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return won, lost


def test_a_change_that_was_beaten_is_made_anew_on_what_the_other_left(
    here: BucketRegistry, seal: Seal, machine: Machine
) -> None:
    _published(here, seal, 1)
    there = machine()
    calls: list[int] = []

    def change() -> float:
        calls.append(1)
        if len(calls) == 1:
            there.hold(here.current(), reason="quicker")
        (here.store / "FORGOTTEN").write_text("recsys-forgotten 1 " + "0" * 64 + "\n")
        return len(calls)

    assert here.changing(change) == 2
    last = machine()
    assert last.held() == last.current() and (last.store / "FORGOTTEN").exists()


def test_a_change_that_raises_changes_nothing(here: BucketRegistry, seal: Seal, machine: Machine) -> None:
    (first,) = _published(here, seal, 1)

    def change() -> None:
        (here.store / "CURRENT").write_text("v0000000000000000\n")
        (here.store / "HOLD").write_text("{}")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        here.changing(change)
    assert here.current() == first and here.held() is None and machine().current() == first


def test_a_mirror_that_was_left_half_changed_is_put_right(here: BucketRegistry, seal: Seal, machine: Machine) -> None:
    first, second = _published(here, seal, 2)
    (here.store / "CURRENT").write_text(f"{first}\n")
    (here.store / "HISTORY").unlink()
    again = machine(here.store)
    assert again.current() == second and len(again.history()) == 2


def test_an_upload_that_fails_is_no_version(
    here: BucketRegistry, seal: Seal, machine: Machine, bucket: Bucket
) -> None:
    (first,) = _published(here, seal, 1)
    second = seal(1).version
    for at in (0, 3, 12):
        bucket.write_faults = [""] * at + ["503"] * 200
        with pytest.raises(ObjectStoreError):
            here.publish(second)
        bucket.write_faults = []
        assert machine().names() == [first] and machine().current() == first
    here.publish(second)
    assert machine().load().manifest.version == second


@pytest.mark.parametrize("fault", ["lost", "broken", "500", "slow"])
def test_an_answer_that_is_lost_is_no_lost_change(
    here: BucketRegistry, seal: Seal, machine: Machine, bucket: Bucket, fault: str
) -> None:
    (first,) = _published(here, seal, 1)
    here.add(second := seal(1).version)
    bucket.write_faults = [fault]
    assert here.publish(second, parent=first) is True
    assert bucket.write_faults == []
    assert [each.version for each in machine().history()] == [first, second]


def test_sealing_the_same_again_elsewhere_takes_the_one_that_is_there(
    here: BucketRegistry, seal: Seal, store: Path, machine: Machine
) -> None:
    here.add(seal(1, verdict="first").version)
    there = machine()
    (there.store / "versions").mkdir(exist_ok=True)
    version = seal(1, verdict="first").version
    (store / "versions" / version).rename(store / "aside")
    seal(1, verdict="second")
    (store / "versions" / version).rename(there.store / "versions" / version)
    there.publish(version)
    assert there.load().manifest.verdict == "first" == machine().load().manifest.verdict


def test_pruning_deletes_objects_and_never_what_serves(
    here: BucketRegistry, seal: Seal, machine: Machine, objects: ObjectStore
) -> None:
    first, second, third, fourth = _published(here, seal, 4)
    there = machine()
    there.rollback(first)
    assert prune(there, 1, dry_run=True).removed == (second,) or prune(there, 1, dry_run=True).removed
    found = prune(there, 1)
    assert first not in found.removed and fourth not in found.removed
    assert _folders(objects) == {*machine().names()} == {first, second, third, fourth} - {*found.removed}
    assert machine().pointer.removed == ()
    here.refresh()
    assert here.names() == machine().names()
    assert not [name for name in found.removed if (here.store / "versions" / name).exists()]
    with pytest.raises(ArtifactError):
        here.rollback(found.removed[0])


def test_a_version_that_was_pruned_elsewhere_can_be_sealed_and_published_again(
    here: BucketRegistry, seal: Seal, machine: Machine
) -> None:
    first, *_ = _published(here, seal, 3)
    assert first in prune(machine(), 1).removed
    assert seal(0).version == first  # its folder is still here
    here.publish(first)
    assert machine().load().manifest.version == first


def test_a_rollback_and_pruning_at_the_same_time_leave_a_version_that_serves(
    here: BucketRegistry, seal: Seal, machine: Machine
) -> None:
    first, *_ = _published(here, seal, 4)
    one, other = machine(), machine()
    one.path(first), other.refresh()
    failed: list[Exception] = []

    def roll_back() -> None:
        try:
            one.rollback(first)
        except ArtifactError as error:
            failed.append(error)

    threads = [threading.Thread(target=roll_back), threading.Thread(target=prune, args=(other, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    last = machine()
    assert last.load().manifest.version == last.current()
    assert (last.current() == first) == (not failed)


def test_what_a_stopped_prune_left_is_deleted_by_the_next(
    here: BucketRegistry, seal: Seal, machine: Machine, objects: ObjectStore, bucket: Bucket
) -> None:
    first, *_ = _published(here, seal, 3)
    bucket.write_faults = ["", "503", "503", "503", "503", "503"]
    with pytest.raises(ObjectStoreError):
        prune(here, 1)
    bucket.write_faults = []
    assert first not in machine().names() and first in _folders(objects)
    prune(machine(), 1)
    assert first not in _folders(objects)


def test_uploads_that_nobody_names_go_when_they_are_old(
    here: BucketRegistry, seal: Seal, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    _published(here, seal, 1)
    objects.write("versions/v0123456789abcdef/0123456789abcdef/users.arrow", b"abandoned")
    prune(here, 1)
    assert "v0123456789abcdef" in _folders(objects)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 8 * 86_400)
    prune(here, 1)
    assert _folders(objects) == {*here.names()}


def test_forgotten_people_leave_the_bucket_and_every_mirror(
    here: BucketRegistry, seal: Seal, machine: Machine, objects: ObjectStore
) -> None:
    old = seal(0, catalogue_read_at="2020-01-01T00:00:00+00:00").version
    here.publish(old)
    there = machine()
    there.load()
    add_tombstones(here, ["user 1"])
    there.refresh()
    assert len(read_forgotten(there.store)) == 1
    late = seal(1, catalogue_read_at="2020-01-02T00:00:00+00:00").version
    with pytest.raises(ForgottenError):
        here.publish(late)
    found = purge(there)
    assert set(found.rewritten) == {old, late} and found.problems == ()
    new = found.rewritten[old]
    assert machine().current() == new and _folders(objects) == {*found.rewritten.values()}
    here.refresh()
    assert not (here.store / "versions" / old).exists() and "user 1" not in here.load().users.ids.to_pylist()


def test_a_store_that_does_not_answer_is_no_damaged_version(
    here: BucketRegistry, seal: Seal, machine: Machine, bucket: Bucket
) -> None:
    first = seal(0, catalogue_read_at="2020-01-01T00:00:00+00:00").version
    second = seal(1, catalogue_read_at="2020-01-01T00:00:00+00:00").version
    for name in (first, second):
        here.publish(name)
    add_tombstones(here, ["user 1"])
    there = machine()
    bucket.unreadable = "/versions/"
    found = purge(there)
    bucket.unreadable = ""
    assert found.removed == () and len(found.problems) == 2
    assert {*machine().names()} == {first, second}


def test_an_experiment_is_seen_by_others_and_keeps_its_versions(
    here: BucketRegistry, seal: Seal, machine: Machine
) -> None:
    names = _published(here, seal, 3)
    Experiments(here).start(
        control="current",
        treatment=names[0],
        share=0.5,
        goal=Goal(effect=0.1, baseline=0.1, needed_once=1, needed=1, tightest_at=1),
    )
    there = machine()
    assert there.in_experiment() == {names[0]}
    assert names[0] not in prune(there, 1).removed
    Experiments(there).stop()
    here.refresh()
    assert here.in_experiment() == set() and len(here.experiment_history()) == 2


def test_a_signature_reaches_every_mirror(here: BucketRegistry, seal: Seal, machine: Machine) -> None:
    (name,) = _published(here, seal, 1)
    there, key = machine(), SigningKey("a key of sixteen or more characters")
    there.path(name)
    here.sign(name, key)
    there.refresh()
    for each in (there, machine()):
        key.check(each.path(name), (each.path(name) / "manifest.json").read_bytes())


def test_a_store_that_ignores_conditions_is_refused(
    here: BucketRegistry, seal: Seal, bucket: Bucket, objects: ObjectStore
) -> None:
    bucket.ignores_conditions = True
    with pytest.raises(ObjectStoreError, match="ignores If-None-Match"):
        here.publish(seal(0).version)
    assert [each.key for each in objects.list() if "/" not in each.key] == []


def test_a_pointer_that_is_damaged_is_told_and_left_alone(
    here: BucketRegistry, seal: Seal, objects: ObjectStore, machine: Machine
) -> None:
    (first,) = _published(here, seal, 1)
    objects.write(POINTER, b"damaged")
    for call in (machine, here.refresh, lambda: here.rollback(first)):
        with pytest.raises(ArtifactError, match="cannot be read as the pointer"):
            call()
    found = objects.read(POINTER)
    assert found is not None and found.content == b"damaged"


def test_a_change_that_is_always_beaten_is_told(here: BucketRegistry, seal: Seal, machine: Machine) -> None:
    _published(here, seal, 1)
    there, n_calls = machine(), itertools.count()

    def beaten() -> None:
        there.hold(there.current(), reason=f"look {next(n_calls)}")
        (here.store / "HOLD").unlink(missing_ok=True)
        (here.store / "EXPERIMENT").write_text("{}")

    with pytest.raises(ConflictError):
        here.changing(beaten)
