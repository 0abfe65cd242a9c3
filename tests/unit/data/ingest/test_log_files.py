"""Files: found by name and glob, read whatever their compression, refused by name when damaged."""

import gzip
import random
from pathlib import Path

import pyarrow as pa
import pytest

from recsys.data.ingest.log_files import format_of, log_files, open_bytes
from recsys.errors import DataError

NOISE = random.Random(1).randbytes(50_000)


def contents(path: Path) -> bytes:
    with open_bytes(path) as (stream, _):
        read: bytes = stream.read()
    return read


def test_globs_and_names_give_each_file_once_in_order(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "sub/c.csv", ".hidden.csv", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    found = log_files([tmp_path / "**" / "*.csv", tmp_path / "a.csv"])
    assert [str(file.relative_to(tmp_path)) for file in found] == ["a.csv", "b.csv", "sub/c.csv"]


def test_a_name_with_glob_signs_is_a_name_first(tmp_path: Path) -> None:
    (tmp_path / "a[1].csv").write_text("x")
    assert log_files([tmp_path / "a[1].csv"]) == (tmp_path / "a[1].csv",)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("*.csv", "no file matches"), ("gone.csv", "no such file"), (".", "is a directory"), ("empty.log", "0 bytes")],
)
def test_what_is_not_there_is_named(tmp_path: Path, name: str, expected: str) -> None:
    (tmp_path / "empty.log").touch()
    with pytest.raises(DataError, match=expected) as caught:
        log_files([tmp_path / name])
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.csv", "csv"), ("a.TSV.gz", "tsv"), ("a.b.jsonl.zst", "jsonl"), ("a.ndjson", "jsonl"), ("a.pq", "parquet")],
)
def test_format_by_name(name: str, expected: str) -> None:
    assert format_of(Path(name)) == expected
    assert format_of(Path(name), "csv") == "csv"


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(DataError, match=r"a\.dat\.gz.*\.csv.*log\.format"):
        format_of(Path("a.dat.gz"))


@pytest.mark.parametrize("name", ["a.gz", "a.csv"])
def test_compression_is_told_by_content_and_gzip_may_have_many_members(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(gzip.compress(b"first,") + gzip.compress(b"second"))
    assert contents(tmp_path / name) == b"first,second"


def test_zstd_and_plain(tmp_path: Path) -> None:
    (tmp_path / "a.zst").write_bytes(pa.compress(NOISE, "zstd", asbytes=True))
    (tmp_path / "plain").write_bytes(NOISE)
    assert contents(tmp_path / "a.zst") == contents(tmp_path / "plain") == NOISE


@pytest.mark.parametrize("end", [-1, 30_000])
@pytest.mark.parametrize("codec", ["gzip", "zstd"])
def test_a_file_cut_short_is_an_error_that_names_it(tmp_path: Path, codec: str, end: int) -> None:
    whole = gzip.compress(NOISE) if codec == "gzip" else pa.compress(NOISE, "zstd", asbytes=True)
    (tmp_path / "cut").write_bytes(whole[:end])
    with pytest.raises(DataError, match=r"cut: .*damaged or cut short"):
        contents(tmp_path / "cut")


def test_a_flipped_byte_is_an_error(tmp_path: Path) -> None:
    damaged = bytearray(gzip.compress(NOISE))
    damaged[-6] ^= 1
    (tmp_path / "a.gz").write_bytes(damaged)
    with pytest.raises(DataError, match=r"a\.gz: .*damaged"):
        contents(tmp_path / "a.gz")


def test_a_name_that_promises_compression_is_held_to_it(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_text("user,item\n")
    with pytest.raises(DataError, match="does not start as gzip does"):
        contents(tmp_path / "a.csv.gz")
