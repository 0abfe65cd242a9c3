"""Google's and Azure's stores: the same promises as of S3, and what each is told to connect with."""

import json
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from recsys.address import Address
from recsys.artifacts.bucket.registry import BucketRegistry
from recsys.artifacts.pruning import prune
from recsys.artifacts.registry import Registry
from recsys.errors import ConfigError, ConflictError, ObjectStoreError, SupersededError
from recsys.objects import ObjectStore, open_object_store
from recsys.objects.object_store import PIECE_BYTES
from recsys.remote import RemotePath
from recsys.remote.file_systems import object_store
from recsys.replica import Replica
from tests import azurite
from tests.google_storage import GoogleBucket
from tests.unit.objects.conftest import Asked
from torture.versions import seal


def opened(address: str) -> ObjectStore:
    return open_object_store(RemotePath(Address(address)), seconds=10).with_pause(0.001)


@pytest.fixture(params=["gs", "abfs"])
def open_in(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ObjectStore]:
    """open_in(folder): a store in a bucket of each cloud."""
    if request.param == "gs":
        google = request.getfixturevalue("google")
        return lambda folder: opened(google.address(folder, anonymous="true"))
    endpoint = request.getfixturevalue("azure")
    monkeypatch.setenv("AZURE_STORAGE_KEY", azurite.KEY)
    return lambda folder: opened(azurite.address(endpoint, folder))


@pytest.fixture
def objects(open_in: Callable[[str], ObjectStore]) -> ObjectStore:
    return open_in(f"store-{uuid.uuid4().hex}")


def test_objects_are_written_read_listed_and_deleted(objects: ObjectStore, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(b"0123456789abcdef" * (PIECE_BYTES // 16) + b"end")
    objects.write("versions/a", b"one")
    objects.write("versions/b/c ü+%", large)
    objects.write("versions-of-another", b"")
    listed = [(each.key, each.size) for each in objects.list("versions")]
    assert listed == [("versions/a", 3), ("versions/b/c ü+%", PIECE_BYTES + 3)]
    assert objects.read_part("versions/b/c ü+%", PIECE_BYTES - 1, 4) == b"fend"
    found = objects.read("versions-of-another")
    assert found is not None and found.content == b"" and objects.read("versions") is None
    objects.delete(["never-there", "versions/a", "versions/b/c ü+%"])
    assert [each.key for each in objects.list()] == ["versions-of-another"]


def test_what_has_not_changed_is_not_sent_again(objects: ObjectStore) -> None:
    first = objects.replace("one", b"one", before=None)
    assert objects.read("one", known=first) is first
    second = objects.replace("one", b"two", before=first)
    assert objects.read("one", known=first) == second


def test_a_condition_that_does_not_hold_writes_nothing(objects: ObjectStore) -> None:
    first = objects.replace("one", b"first", before=None)
    second = objects.replace("one", b"second", before=first)
    for key, before in (("one", None), ("one", first), ("missing", first)):
        with pytest.raises(ConflictError, match="another process changed it"):
            objects.replace(key, b"third", before=before)
    assert objects.read("one", known=second) is second and objects.read("missing") is None


def test_one_of_many_writers_wins(objects: ObjectStore) -> None:
    before, won = objects.replace("one", b"0", before=None), []

    def write(content: bytes) -> None:
        try:
            objects.replace("one", content, before=before)
        except ConflictError:
            return
        won.append(content)

    threads = [threading.Thread(target=write, args=(f"of {each}".encode(),)) for each in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = objects.read("one")
    assert found is not None and won == [found.content]


def test_versions_are_published_followed_rolled_back_pruned_and_superseded(
    objects: ObjectStore, tmp_path: Path
) -> None:
    here, there = (BucketRegistry(objects, tmp_path / name) for name in ("here", "there"))
    first, second, third = (seal(here.store, seed=seed, approximate=False) for seed in range(3))
    replica = Replica(objects, tmp_path / "cache")
    assert here.publish(first, parent=None)
    assert replica.look() and Registry(replica.folder).current() == first
    assert here.publish(second, parent=first)
    seal(there.store, seed=2, approximate=False)
    with pytest.raises(SupersededError):
        there.publish(third, parent=first)
    assert replica.look() and Registry(replica.folder).current() == second
    assert there.rollback() == first and replica.look() and Registry(replica.folder).current() == first
    assert there.publish(third, parent=first)
    assert set(prune(here, 1).removed) == {second}
    assert {each.key.split("/")[1] for each in objects.list("versions")} == {first, third}
    assert replica.look() and replica.status.fault is None and Registry(replica.folder).names() == [first, third]
    assert not replica.look()


def test_a_missing_bucket_is_named(open_in: Callable[[str], ObjectStore], tmp_path: Path) -> None:
    there = str(open_in("store").path).replace("shop-data", "never-made")
    missing = opened(there)
    calls: list[Callable[[], object]] = [
        lambda: missing.read("one"),
        lambda: missing.replace("one", b"1", before=None),
        missing.list,
    ]
    for call in calls:
        with pytest.raises(ObjectStoreError, match="no such bucket") as caught:
            call()
        assert caught.value.reason == "missing"


def test_a_pointer_that_was_put_back_can_be_changed(google: GoogleBucket, tmp_path: Path) -> None:
    """Google's ETag is the same for the same content; its conditions are of the generation."""
    objects = opened(google.address(anonymous="true"))
    registry = BucketRegistry(objects, tmp_path / "here")
    first = seal(registry.store, seed=0, approximate=False)
    registry.publish(first, parent=None)
    pointer = objects.read("CURRENT")
    assert pointer is not None
    objects.write("CURRENT", b"something else")
    objects.write("CURRENT", pointer.content)
    registry.hold(first, reason="a look")
    assert registry.held() is not None


def test_a_store_that_takes_few_writes_of_one_object_is_asked_again(google: GoogleBucket, tmp_path: Path) -> None:
    google.least_seconds = 0.02
    registry = BucketRegistry(opened(google.address(anonymous="true")).with_pause(0.02), tmp_path / "here")
    assert registry.publish(seal(registry.store, seed=0, approximate=False), parent=None)
    assert google.n_refused


def test_whoever_may_not_write_is_told(google: GoogleBucket) -> None:
    google.accepted = "another"
    with pytest.raises(ObjectStoreError, match=r"GOOGLE_APPLICATION_CREDENTIALS") as caught:
        opened(google.address(anonymous="true")).write("one", b"1")
    assert caught.value.reason == "denied"


def test_google_takes_a_service_account_and_else_the_account_of_the_machine(
    asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GCE_METADATA_HOST", asked.endpoint.partition("://")[2])
    address = f"gs://shop-data/store?endpoint_override={asked.endpoint}"
    opened(address).read("one")
    assert len(asked.tokens) == 1 and asked.authorizations == ["Bearer of-the-machine"]
    opened(f"{address}&anonymous=true").read("one")
    assert len(asked.tokens) == 1 and asked.authorizations[1:] == [""]
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(_service_account(tmp_path / "account.json")))
    opened(address).read("one")
    assert len(asked.tokens) == 1 and asked.authorizations[2].startswith("Bearer ey")  # a JWT that it signed itself
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "nowhere.json"))
    with pytest.raises(ConfigError, match=r"nowhere\.json"):
        opened(address)


def _service_account(path: Path) -> Path:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {"type": "service_account", "client_email": "night@example.com", "private_key_id": "1"}
    path.write_text(json.dumps({**account, "private_key": key.decode()}))
    return path


AZURE = "abfs://shop-data@account.dfs.core.windows.net/store"


@pytest.mark.parametrize(
    ("variables", "authorization", "n_tokens"),
    [
        ({"AZURE_STORAGE_KEY": "aGVsbG8="}, "SharedKey account:", 0),
        ({"AZURE_STORAGE_SAS_TOKEN": "?sv=1&sig=a%2B"}, "", 0),
        ({"IDENTITY_ENDPOINT": "{endpoint}/token", "IDENTITY_HEADER": "1"}, "Bearer of-the-machine", 1),
        (
            {"AZURE_CLIENT_ID": "a", "AZURE_CLIENT_SECRET": "b", "AZURE_TENANT_ID": "c"},
            "Bearer of-the-machine",
            1,
        ),
        (
            {"AZURE_CLIENT_ID": "a", "AZURE_FEDERATED_TOKEN_FILE": "{file}", "AZURE_TENANT_ID": "c"},
            "Bearer of-the-machine",
            1,
        ),
    ],
)
def test_azure_takes_a_key_a_signature_or_an_identity(
    asked: Asked,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    authorization: str,
    n_tokens: int,
) -> None:
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", asked.endpoint)
    (tmp_path / "federated").write_text("a token of the cluster")
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(endpoint=asked.endpoint, file=tmp_path / "federated"))
    assert opened(f"{AZURE}?endpoint_override={asked.endpoint}").read("one") is None
    assert asked.authorizations[0].startswith(authorization) and len(asked.tokens) == n_tokens
    query = asked.paths[0].partition("?")[2]
    assert ("sig=a%2B" in query) == ("AZURE_STORAGE_SAS_TOKEN" in variables)


@pytest.mark.parametrize("ending", ["", "/", "/account"])
def test_a_server_without_names_of_accounts_has_folders_of_them(
    asked: Asked, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_KEY", "aGVsbG8=")
    opened(f"{AZURE}?endpoint_override={asked.endpoint}{ending}").read("one")
    assert asked.paths == ["/account/shop-data/store/one"]


@pytest.mark.parametrize("ending", ["", "/devstoreaccount1"])
def test_a_log_is_read_from_where_a_store_may_lie(azure: str, monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    monkeypatch.setenv("AZURE_STORAGE_KEY", azurite.KEY)
    path = RemotePath(Address(azurite.address(f"{azure}{ending}", "logs")))
    open_object_store(path).write("a.csv", b"user,item")
    files, place = object_store(path / "a.csv")
    with files.open_input_stream(place) as file:
        assert file.read() == b"user,item"


def test_a_machine_that_gives_no_token_is_named_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:1/token")
    with pytest.raises(ObjectStoreError, match=r"credentials are read from AZURE.*no credentials came") as caught:
        opened(AZURE).read("one")
    assert caught.value.reason == "denied"


def test_an_address_without_a_container_is_refused() -> None:
    with pytest.raises(ConfigError, match="names no container"):
        opened("abfs://account.dfs.core.windows.net/store")
