"""The pointer object of a store in an object store."""

import hashlib

import pytest

from recsys.artifacts.bucket.pointer import POINTER, Pointer, ReadPointer, Upload, parse_pointer, read_pointer
from recsys.errors import ArtifactError
from recsys.objects import ObjectStore
from tests.object_stores import Bucket

V1, V2 = "v0123456789abcdef", "vfedcba9876543210"


def _upload(version: str) -> Upload:
    return Upload(folder=Upload.folder_for(version), manifest="0" * 64, size=1)


def _of(version: str) -> Pointer:
    return Pointer().changed(versions={version: _upload(version)}, removed=(), files={POINTER: f"{version}\n"})


def test_its_first_line_is_the_version_that_serves() -> None:
    pointer = _of(V1)
    assert pointer.to_bytes().startswith(f"{V1}\n".encode())
    assert parse_pointer("name", pointer.to_bytes()) == pointer and pointer.serving == V1
    assert Pointer().to_bytes().startswith(b"none\n")
    assert parse_pointer("name", Pointer().to_bytes()) == Pointer()


def test_a_change_knows_those_before_it_and_no_other() -> None:
    first = _of(V1)
    second = first.changed(versions=first.versions, removed=(), files=first.files)
    other = first.changed(versions=first.versions, removed=(), files=first.files)
    assert second.includes(first) and second.includes(second)
    assert not first.includes(second) and not second.includes(other)
    assert second.to_bytes() != other.to_bytes() != first.to_bytes()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\xff\xfe", "no text"),
        (b"v1\n{}", "first line"),
        (f"{V1}\n".encode(), "JSON"),
        (f"{V1}\n{{}}".encode(), "not among its versions"),
        (b'none\n{"format": 2}', "format"),
        (b'none\n{"files": {"OTHER": ""}}', "OTHER"),
        (b'none\n{"more": 1}', "more"),
        (_of(V1).to_bytes()[:-72].replace(b"versions/v", b"elsewhere/v"), "folder"),
    ],
)
def test_what_is_no_pointer_is_told(content: bytes, why: str) -> None:
    hashed = content + f"sha256 {hashlib.sha256(content).hexdigest()}\n".encode()
    with pytest.raises(ArtifactError, match=why):
        parse_pointer("s3://shop/store/CURRENT", hashed)


def test_one_other_byte_anywhere_is_told() -> None:
    content = _of(V1).to_bytes()
    for at in range(len(content)):
        altered = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        with pytest.raises(ArtifactError, match="is not the hash"):
            parse_pointer("s3://shop/store/CURRENT", altered)
    for cut in (0, 10, len(content) - 1):
        with pytest.raises(ArtifactError):
            parse_pointer("s3://shop/store/CURRENT", content[:cut])


def test_a_pointer_that_was_altered_on_its_way_is_read_again(bucket: Bucket, objects: ObjectStore) -> None:
    objects.write(POINTER, _of(V1).to_bytes())
    bucket.faults = ["altered", "altered"]
    assert read_pointer(objects).pointer.serving == V1


def test_it_is_read_again_only_if_it_has_changed(objects: ObjectStore) -> None:
    nothing = read_pointer(objects)
    assert nothing == ReadPointer() and nothing.pointer.serving is None
    objects.write(POINTER, _of(V1).to_bytes())
    first = read_pointer(objects, known=nothing)
    assert first.pointer.serving == V1 and read_pointer(objects, known=first) is first
    objects.write(POINTER, _of(V2).to_bytes())
    assert read_pointer(objects, known=first).pointer.serving == V2
