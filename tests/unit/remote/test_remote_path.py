"""Addresses of files: what they mean, what is refused, and what is shown of them."""

from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from recsys.address import Address
from recsys.config import InputPaths
from recsys.remote import RemotePath
from recsys.remote.failures import reason

_PATHS = TypeAdapter(InputPaths)


def _path(text: str) -> RemotePath:
    return RemotePath(Address(text))


def test_an_address_is_a_path_and_anything_else_is_one_on_this_machine() -> None:
    remote, local = _PATHS.validate_python(["s3://shop/events/**/*.csv.gz", "events/*.csv"])
    assert isinstance(remote, RemotePath)
    assert isinstance(local, Path)
    assert (remote.name, remote.suffix) == ("*.csv.gz", ".gz")
    assert _PATHS.dump_python((remote,)) == ("s3://shop/events/**/*.csv.gz",)


def test_a_pattern_starts_at_the_first_part_with_a_sign() -> None:
    path = _path("s3://shop/a/day-?/*.csv?region=eu-west-1")
    assert path.pattern == ("day-?", "*.csv")
    assert path.root().key == "a"
    assert (path.root() / "day-1" / "x.csv").key == "a/day-1/x.csv"
    assert str(path.root() / "day-1" / "x.csv") == "s3://shop/a/day-1/x.csv"
    assert path.target.options == (("region", "eu-west-1"),)


def test_names_in_an_object_store_are_as_they_are() -> None:
    assert _path("s3://shop/day=2024-01-01 00%3A00/a b.csv").key == "day=2024-01-01 00%3A00/a b.csv"


def test_variables_are_filled_in_and_shown_by_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENTS", "https://files.example/log.csv?X-Amz-Signature=s3cr3t")
    path = _path("${EVENTS}")
    assert path.name == "log.csv"
    assert (str(path), repr(path).count("s3cr3t")) == ("${EVENTS}", 0)
    said = reason(path, OSError("403 for https://files.example/log.csv?X-Amz-Signature=s3cr3t"))
    assert said.startswith("access is denied")
    assert "s3cr3t" not in said


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("s4://shop/x.csv", "unknown scheme 's4'"),
        ("http://example.org/x.csv", "expected https://"),
        ("https://example.org/", "address of one file"),
        (
            "s3://shop/x.csv?regoin=eu",
            "unknown option 'regoin'; expected region, endpoint_override, scheme, anonymous",
        ),
        ("s3:///x.csv", "names no bucket"),
        ("s3:/shop/x.csv", "expected two slashes: s3://"),
        ("https://example.org/x.csv?token=abc", "is written out"),
        ("s3://key:secret@shop/x.csv", "is written out"),
    ],
)
def test_what_cannot_be_an_address_of_files_is_said_before_anything_is_read(address: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message) as caught:
        _PATHS.validate_python([address])
    assert "secret@" not in str(caught.value.errors()[0]["msg"])
