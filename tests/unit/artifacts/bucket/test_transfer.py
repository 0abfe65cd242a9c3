"""A version goes into an object store and comes back, whole or not at all."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from recsys.artifacts.bucket import Upload, download_version, upload_version
from recsys.artifacts.bundle import load_bundle
from recsys.artifacts.files import FileDigest
from recsys.artifacts.manifest import Manifest, VersionFacts, new_manifest, write_manifest
from recsys.artifacts.signature import SigningKey
from recsys.errors import ObjectStoreError
from recsys.objects import ObjectStore
from tests.object_stores import Bucket

Seal = Callable[..., Manifest]


@pytest.fixture
def sealed(seal: Seal, store: Path) -> Path:
    return store / "versions" / seal().version


@pytest.fixture
def upload(objects: ObjectStore, sealed: Path) -> Upload:
    return upload_version(objects, sealed)


def test_a_version_comes_back_byte_for_byte(
    objects: ObjectStore, sealed: Path, upload: Upload, tmp_path: Path
) -> None:
    told: list[tuple[str, float, float | None]] = []
    found = download_version(
        objects, sealed.name, upload, tmp_path / "there" / "versions", progress=lambda *step: told.append(step)
    )
    names = {path.relative_to(sealed) for path in sealed.rglob("*")}
    assert {path.relative_to(found) for path in found.rglob("*")} == names
    assert all((found / name).read_bytes() == (sealed / name).read_bytes() for name in names if "." in name.name)
    assert load_bundle(found).manifest == load_bundle(sealed).manifest
    assert told[0][1:] == (0, upload.size) and told[-1][1:] == (upload.size, upload.size)
    assert not [path for path in (tmp_path / "there").iterdir() if path.name.startswith(".")]


def test_a_version_that_is_there_is_not_downloaded_again(
    objects: ObjectStore, bucket: Bucket, sealed: Path, upload: Upload
) -> None:
    bucket.requests.clear()
    assert download_version(objects, sealed.name, upload, sealed.parent) == sealed
    assert bucket.requests == []


@pytest.mark.parametrize("fault", ["altered", "503", "cut", "broken", "404"])
def test_what_cannot_be_read_whole_never_becomes_visible(
    objects: ObjectStore, bucket: Bucket, sealed: Path, upload: Upload, tmp_path: Path, fault: str
) -> None:
    versions = tmp_path / "there" / "versions"
    for at in (0, 1, 9):
        bucket.faults = [""] * at + [fault] * 40
        with pytest.raises(ObjectStoreError):
            download_version(objects, sealed.name, upload, versions)
        assert list(versions.iterdir()) == [] and [each.name for each in versions.parent.iterdir()] == ["versions"]
    bucket.faults.clear()
    assert load_bundle(download_version(objects, sealed.name, upload, versions)).manifest.version == sealed.name


def test_a_file_that_was_altered_in_the_bucket_is_named(
    objects: ObjectStore, sealed: Path, upload: Upload, tmp_path: Path
) -> None:
    content = (sealed / "users.arrow").read_bytes()
    objects.write(f"{upload.folder}/users.arrow", content[:-1] + b"?")
    with pytest.raises(ObjectStoreError, match=r"users\.arrow: is not what was published") as caught:
        download_version(objects, sealed.name, upload, tmp_path / "there" / "versions")
    assert caught.value.reason == "damaged"


@pytest.mark.parametrize("name", ["../outside.npy", "/etc/outside", "a/../../b", ".hidden", "manifest.json"])
def test_a_manifest_writes_nowhere_else(
    objects: ObjectStore, seal: Seal, store: Path, tmp_path: Path, name: str
) -> None:
    manifest = new_manifest({name: FileDigest.of(b"")}, VersionFacts())
    folder = tmp_path / manifest.version
    folder.mkdir()
    write_manifest(manifest, folder)
    content = (folder / "manifest.json").read_bytes()
    place = Upload.folder_for(manifest.version)
    objects.write(f"{place}/manifest.json", content)
    upload = Upload(folder=place, manifest=FileDigest.of(content).sha256, size=0)
    with pytest.raises(ObjectStoreError, match="lists a file"):
        download_version(objects, manifest.version, upload, tmp_path / "there" / "versions")


def test_an_upload_that_arrives_altered_is_sent_again_or_told(
    objects: ObjectStore, bucket: Bucket, sealed: Path
) -> None:
    bucket.faults = ["altered"]  # what is read back
    assert upload_version(objects, sealed).size > 0
    bucket.faults = ["altered"] * 40
    with pytest.raises(ObjectStoreError, match="is not what was written"):
        upload_version(objects, sealed)


def test_another_version_of_the_same_name_is_replaced(
    objects: ObjectStore, seal: Seal, sealed: Path, upload: Upload, tmp_path: Path
) -> None:
    versions = tmp_path / "there" / "versions"
    download_version(objects, sealed.name, upload, versions)
    shutil.rmtree(sealed)
    assert seal(verdict="another").version == sealed.name
    again = upload_version(objects, sealed)
    assert again.manifest != upload.manifest
    found = download_version(objects, sealed.name, again, versions)
    assert load_bundle(found).manifest.verdict == "another"


def test_a_signature_comes_from_the_pointer(objects: ObjectStore, sealed: Path, tmp_path: Path) -> None:
    key = SigningKey("a key of sixteen or more characters")
    key.sign(sealed)
    upload = upload_version(objects, sealed)
    found = download_version(objects, sealed.name, upload, tmp_path / "there" / "versions")
    assert load_bundle(found, key).manifest.version == sealed.name
