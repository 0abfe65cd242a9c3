"""Rows are told without reading the log."""

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.config import LogConfig
from recsys.data.ingest.row_estimate import estimate_rows
from recsys.errors import DataError


def _log(path: Path) -> LogConfig:
    return LogConfig(paths=(path,))


def _lines(n: int) -> bytes:
    return b"user,item\n" + b"".join(b"u%d,i%d\n" % (row * 7919 % 1000, row % 97) for row in range(n))


def test_parquet_is_exact(tmp_path: Path) -> None:
    pq.write_table(pa.table({"user": ["a"] * 12_345, "item": ["b"] * 12_345}), tmp_path / "log.parquet")
    assert estimate_rows(_log(tmp_path / "log.parquet")) == 12_345


@pytest.mark.parametrize("tail", [b"", b"u1,i1"])
def test_a_small_text_file_is_exact_with_and_without_a_last_line_end(tmp_path: Path, tail: bytes) -> None:
    (tmp_path / "log.csv").write_bytes(_lines(1_000) + tail)
    assert estimate_rows(_log(tmp_path / "log.csv")) == 1_000 + bool(tail)


def test_json_lines_have_no_header(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"user": "a", "item": "b"}\n' * 50)
    assert estimate_rows(_log(tmp_path / "log.jsonl")) == 50


@pytest.mark.parametrize("name", ["log.csv", "log.csv.gz"])
def test_a_large_file_is_told_from_its_start(tmp_path: Path, name: str) -> None:
    n, path = 2_500_000, tmp_path / name  # 20 MiB of text; 16 MiB of it are looked at
    text = _lines(100_000)
    whole = text + text.partition(b"\n")[2] * (n // 100_000 - 1)
    path.write_bytes(gzip.compress(whole, compresslevel=1) if name.endswith("gz") else whole)
    assert estimate_rows(_log(path)) == pytest.approx(n, rel=0.02)


def test_of_many_files_a_few_are_looked_at(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"{number:02}.csv").write_bytes(_lines(1_000))
    assert estimate_rows(_log(tmp_path / "*.csv")) == pytest.approx(20_000, rel=0.01)


def test_a_damaged_parquet_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "log.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(DataError, match=r"log\.parquet: cannot be read as Parquet"):
        estimate_rows(_log(tmp_path / "log.parquet"))
