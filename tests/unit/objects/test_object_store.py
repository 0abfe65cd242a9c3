"""One object store: reads, writes, conditions, and faults of the network on the way."""

import threading

import pytest

from recsys.address import Address
from recsys.errors import ConfigError, ConflictError, ObjectStoreError
from recsys.objects import ObjectStore, open_object_store
from recsys.remote import RemotePath
from tests.object_stores import Bucket

SECRET = "the-secret-of-the-test"


@pytest.fixture
def objects(bucket: Bucket) -> ObjectStore:
    return open_object_store(RemotePath(Address("s3://shop-data/store")), seconds=2).with_pause(0.001)


def test_objects_are_written_read_listed_and_deleted(objects: ObjectStore) -> None:
    objects.write("versions/a", b"one")
    objects.write("versions/b/c", b"three")
    objects.write("versions-of-another", b"")
    assert [(each.key, each.size) for each in objects.list("versions")] == [("versions/a", 3), ("versions/b/c", 5)]
    found = objects.read("versions/b/c")
    assert found is not None and found.content == b"three"
    assert objects.read_part("versions/b/c", 1, 3) == b"hre"
    objects.delete(["versions/a", "versions/b/c", "never-there"])
    assert [each.key for each in objects.list()] == ["versions-of-another"]
    assert objects.read("versions/a") is None


def test_what_has_not_changed_is_not_sent_again(objects: ObjectStore) -> None:
    objects.write("one", b"one")
    first = objects.read("one")
    assert objects.read("one", known=first) is first
    objects.write("one", b"two")
    second = objects.read("one", known=first)
    assert second is not None and second.content == b"two"


def test_a_condition_that_does_not_hold_writes_nothing(objects: ObjectStore) -> None:
    first = objects.replace("one", b"first", before=None)
    with pytest.raises(ConflictError, match="another process changed it"):
        objects.replace("one", b"second", before=None)
    objects.replace("one", b"third", before=first)
    with pytest.raises(ConflictError):
        objects.replace("one", b"fourth", before=first)
    with pytest.raises(ConflictError):
        objects.replace("missing", b"fourth", before=first)
    found = objects.read("one")
    assert found is not None and found.content == b"third" and objects.read("missing") is None


@pytest.mark.parametrize("faults", [["lost"], ["broken"], ["503"], ["lost", "lost"], ["500", "broken", "lost"]])
@pytest.mark.parametrize("is_new", [True, False])
def test_a_conditional_write_is_done_once_whatever_happens_to_its_answer(
    objects: ObjectStore, bucket: Bucket, faults: list[str], is_new: bool
) -> None:
    before = None if is_new else objects.replace("one", b"before", before=None)
    bucket.write_faults = [*faults]
    after = objects.replace("one", b"after", before=before)
    assert objects.read("one", known=after) is after and after.content == b"after"


def test_a_write_that_was_done_and_followed_by_another_one_is_no_conflict(
    objects: ObjectStore, bucket: Bucket
) -> None:
    before = objects.replace("one", b"0", before=None)
    bucket.write_faults = ["lost"]
    bucket.faults = ["slow"]
    bucket.slow_seconds = 0.2
    follow = threading.Timer(0.05, lambda: objects.write("one", b"0 1 2"))
    follow.start()
    after = objects.replace("one", b"0 1", before=before, holds=lambda content: content.startswith(b"0 1"))
    follow.join()
    assert after.content == b"0 1 2"


def test_a_write_that_cannot_be_confirmed_says_so(objects: ObjectStore, bucket: Bucket) -> None:
    before = objects.replace("one", b"before", before=None)
    bucket.write_faults, bucket.faults = ["lost"], ["503"] * 5
    with pytest.raises(ObjectStoreError, match="whether the change was made is not known") as caught:
        objects.replace("one", b"after", before=before)
    assert caught.value.reason == "unavailable"


@pytest.mark.parametrize("faults", [["503", "cut", "500"], ["broken", "429"]])
def test_a_read_that_fails_for_a_while_is_made_again(objects: ObjectStore, bucket: Bucket, faults: list[str]) -> None:
    objects.write("one", b"x" * 1000)
    bucket.faults = [*faults]
    found = objects.read("one")
    assert found is not None and found.content == b"x" * 1000
    bucket.faults = [*faults]
    assert objects.read_part("one", 0, 1000) == b"x" * 1000


@pytest.mark.parametrize(("fault", "reason"), [("503", "unavailable"), ("403", "denied"), ("cut", "unavailable")])
def test_what_does_not_pass_is_told_with_its_reason_and_without_a_secret(
    objects: ObjectStore, bucket: Bucket, fault: str, reason: str
) -> None:
    objects.write("one", b"x" * 1000)
    bucket.faults = [fault] * 9
    with pytest.raises(ObjectStoreError) as caught:
        objects.read("one")
    assert caught.value.reason == reason and "s3://shop-data/store/one" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_timeout_is_told(bucket: Bucket) -> None:
    objects = open_object_store(RemotePath(Address("s3://shop-data/store")), seconds=0.05).with_pause(0.001)
    bucket.slow_seconds, bucket.faults = 0.2, ["slow"] * 9
    with pytest.raises(ObjectStoreError, match="does not answer") as caught:
        objects.read("one")
    assert caught.value.reason == "unavailable"


def test_a_missing_bucket_is_named(bucket: Bucket) -> None:
    objects = open_object_store(RemotePath(Address("s3://never-made/store")))
    for call in (lambda: objects.read("one"), lambda: objects.replace("one", b"1", before=None), objects.list):
        with pytest.raises(ObjectStoreError, match="no such bucket") as caught:
            call()
        assert caught.value.reason == "missing"


def test_one_of_many_writers_wins(objects: ObjectStore) -> None:
    before = objects.replace("one", b"0", before=None)
    for number in range(5):
        won: list[bytes] = []

        def write(content: bytes, won: list[bytes] = won, before: object = before) -> None:
            try:
                objects.replace("one", content, before=before)  # type: ignore[arg-type]
            except ConflictError:
                return
            won.append(content)

        threads = [threading.Thread(target=write, args=(f"{number} {each}".encode(),)) for each in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = objects.read("one")
        assert found is not None and won == [found.content]
        before = found


@pytest.mark.parametrize("address", ["https://example.com/store", "s3://bucket/*/store"])
def test_what_is_no_folder_of_an_object_store_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="expected a folder in an object store"):
        open_object_store(RemotePath(Address(address)))


def test_a_message_names_the_object_below_an_address_with_a_password(bucket: Bucket) -> None:
    objects = open_object_store(RemotePath(Address("s3://key:hidden-word@never-made/store")))
    with pytest.raises(ObjectStoreError, match=r"^s3://key:\*\*\*@never-made/store/one: no such bucket"):
        objects.read("one")
