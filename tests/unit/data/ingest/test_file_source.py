"""Files as a source: of every format, fingerprinted and counted."""

import gzip
import os
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from recsys.config import FileFormat, LogSchema
from recsys.data.ingest.file_formats import format_of
from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.readers import read_log
from recsys.data.ingest.source import Columns
from recsys.errors import DataError


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


USERS = Columns("log", {"user": "user"}, keep=0)


@pytest.mark.parametrize(
    ("name", "declared", "delimiter", "text"),
    [
        ("a.csv", "auto", None, "user,item\na,x\n"),
        ("a.csv", "auto", ";", "user;item\na;x\n"),
        ("a.tsv", "auto", None, "user\titem\na\tx\n"),
        ("a.log", "tsv", None, "user\titem\na\tx\n"),
        ("a.ndjson", "auto", None, '{"user": "a", "item": "x"}\n'),
    ],
)
def test_format_and_delimiter(tmp_path: Path, name: str, declared: Any, delimiter: str | None, text: str) -> None:
    (tmp_path / name).write_text(text)
    (parse,) = FileSource((tmp_path / name,), FileFormat(format=declared, delimiter=delimiter)).batches(USERS)
    assert [str(user) for user in parse().column("user").cast("string")] == ["a"]


@pytest.mark.parametrize("delimiter", ['"', "a\nb", "\r"])
def test_what_cannot_delimit(delimiter: str) -> None:
    with pytest.raises(ValidationError, match="without quotes and line ends"):
        FileFormat(delimiter=delimiter)


@pytest.mark.parametrize("section", ["log", "items"])
def test_advice_names_the_key_of_the_section(tmp_path: Path, section: str) -> None:
    (tmp_path / "a.dat").write_text("user;item\na;x\n")
    with pytest.raises(
        DataError, match=rf"set {section}\.format.*{section}\.format = \"csv\" and {section}\.delimiter = \";\""
    ):
        list(FileSource((tmp_path / "a.dat",), section=section).batches(USERS))
    with pytest.raises(DataError, match=rf"set {section}\.delimiter = \";\""):
        columns = Columns(section, {"user": "user"}, keep=0)
        list(FileSource((tmp_path / "a.dat",), FileFormat(format="csv"), section).batches(columns))


def fingerprint(folder: Path) -> str:
    return FileSource((folder / "**" / "*.csv",)).fingerprint()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "log" / "sub").mkdir(parents=True)
    (tmp_path / "log" / "a.csv").write_text("one")
    (tmp_path / "log" / "sub" / "b.csv").write_text("two")
    return tmp_path / "log"


def test_it_is_a_sha256_that_survives_a_move_and_a_touch(folder: Path) -> None:
    before = fingerprint(folder)
    moved = folder.parent / "elsewhere"
    shutil.copytree(folder, moved)
    os.utime(moved / "a.csv", (0, 0))
    assert fingerprint(moved) == before
    assert len(bytes.fromhex(before)) == 32


@pytest.mark.parametrize("change", ["content", "name", "swap", "more"])
def test_every_change_shows(folder: Path, change: str) -> None:
    before = fingerprint(folder)
    match change:
        case "content":
            (folder / "a.csv").write_text("One")
        case "name":
            (folder / "a.csv").rename(folder / "c.csv")
        case "swap":
            (folder / "a.csv").write_text("two")
            (folder / "sub" / "b.csv").write_text("one")
        case "more":
            (folder / "c.csv").write_text("three")
    assert fingerprint(folder) != before


def test_missing_files_are_an_error(folder: Path) -> None:
    with pytest.raises(DataError, match="no file matches"):
        fingerprint(folder / "sub" / "deeper")


def estimate_rows(path: Path) -> int:
    return FileSource((path,)).estimate_rows()


def _lines(n: int) -> bytes:
    return b"user,item\n" + b"".join(b"u%d,i%d\n" % (row * 7919 % 1000, row % 97) for row in range(n))


def test_parquet_is_exact(tmp_path: Path) -> None:
    pq.write_table(pa.table({"user": ["a"] * 12_345, "item": ["b"] * 12_345}), tmp_path / "log.parquet")
    assert estimate_rows(tmp_path / "log.parquet") == 12_345


@pytest.mark.parametrize("tail", [b"", b"u1,i1"])
def test_a_small_text_file_is_exact_with_and_without_a_last_line_end(tmp_path: Path, tail: bytes) -> None:
    (tmp_path / "log.csv").write_bytes(_lines(1_000) + tail)
    assert estimate_rows(tmp_path / "log.csv") == 1_000 + bool(tail)


def test_json_lines_have_no_header(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"user": "a", "item": "b"}\n' * 50)
    assert estimate_rows(tmp_path / "log.jsonl") == 50


def test_objects_of_an_array_are_counted(tmp_path: Path) -> None:
    (tmp_path / "log.json").write_text("[" + ", ".join(['{"user": "a", "item": "b"}'] * 50) + "]")
    assert estimate_rows(tmp_path / "log.json") == 50


@pytest.mark.parametrize("name", ["log.csv", "log.csv.gz"])
def test_a_large_file_is_told_from_its_start(tmp_path: Path, name: str) -> None:
    n, path = 2_500_000, tmp_path / name  # 20 MiB of text; 16 MiB of it are looked at
    text = _lines(100_000)
    whole = text + text.partition(b"\n")[2] * (n // 100_000 - 1)
    path.write_bytes(gzip.compress(whole, compresslevel=1) if name.endswith("gz") else whole)
    assert estimate_rows(path) == pytest.approx(n, rel=0.02)


def test_of_many_files_a_few_are_looked_at(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"{number:02}.csv").write_bytes(_lines(1_000))
    assert estimate_rows(tmp_path / "*.csv") == pytest.approx(20_000, rel=0.01)


def test_a_damaged_parquet_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "log.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(DataError, match=r"log\.parquet: cannot be read as Parquet"):
        estimate_rows(tmp_path / "log.parquet")


EMPTY = {
    "0.csv": b"",
    "1.csv": b"user,item\n",
    "2.csv.gz": b"",
    "3.csv.gz": gzip.compress(b""),
    "4.jsonl": b"\n\n",
    "5.jsonl.gz": gzip.compress(b""),
    "6.tsv": b"\xef\xbb\xbf\r\n",
    "7.parquet": b"",
    "day.done": b"",
    "a.json": b"[\n]\n",
}


def test_files_without_rows_are_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name, content in EMPTY.items():
        (tmp_path / name).write_bytes(content)
    pq.write_table(pa.table({"user": pa.array([], pa.string()), "item": []}), tmp_path / "8.parquet")
    pq.write_table(pa.table({}), tmp_path / "8-columns.parquet")
    source = FileSource((tmp_path,))
    with pytest.raises(DataError, match="holds no rows"):
        read_log(source, LogSchema())
    assert source.estimate_rows() < 10  # blank lines and brackets
    caplog.clear()
    (tmp_path / "9.csv").write_text("user,item\na,x\n")
    source = FileSource((tmp_path,))
    source.check(USERS)
    assert len(read_log(source, LogSchema())[0]) == 1
    (told,) = [record.getMessage() for record in caplog.records]
    assert told.startswith(f"12 of 13 files hold no rows: {tmp_path / '0.csv'}, ")


def test_a_file_that_vanishes_or_grows_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("user,item\na,x\n")
    source = FileSource((tmp_path,))
    batches = source.batches(USERS)
    next(batches)
    (tmp_path / "a.csv").write_text("user,item\na,x\nb,x\n")
    list(batches)
    assert "a.csv: had 14 bytes and has 18 after it was read" in caplog.text
    assert source.files[1:]
    (tmp_path / "b.csv").unlink()
    for read in (source.fingerprint, source.estimate_rows, lambda: list(source.batches(USERS))):
        with pytest.raises(DataError, match=r"b\.csv: cannot be read: No such file"):
            read()


class TestTheStartOfEveryFile:
    def test_the_last_file_may_lack_a_column(self, tmp_path: Path) -> None:
        good, bad = pa.table({"user": ["u"]}), pa.table({"visitor": ["u"]})
        for name, table in (("a.parquet", good), ("b.parquet", bad)):
            pq.write_table(table, tmp_path / name)
        with pytest.raises(DataError, match=r"b\.parquet.*'user'"):
            FileSource((tmp_path / "*.parquet",)).check(USERS)
        FileSource((tmp_path / "a.parquet",)).check(USERS)

    def test_a_key_that_is_further_down_than_a_header_is_found(self, tmp_path: Path) -> None:
        padding = '{"other": "' + "x" * 1_000 + '"}\n'
        (tmp_path / "a.jsonl").write_text(padding * 100 + '{"user": "u"}\n')
        FileSource((tmp_path / "a.jsonl",)).check(USERS)

    def test_a_header_longer_than_what_is_looked_at_first(self, tmp_path: Path) -> None:
        names = ",".join(f"column{n:06d}" for n in range(9_000))
        (tmp_path / "a.csv").write_text(f"{names},user\n{',' * 9_000}u\n")
        FileSource((tmp_path / "a.csv",)).check(USERS)
