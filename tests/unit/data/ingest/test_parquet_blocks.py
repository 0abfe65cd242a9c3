"""Parquet files as they come out of various writers."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.config import LogSchema
from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.parquet_blocks import parquet_blocks
from recsys.data.ingest.readers import read_log
from recsys.data.ingest.source import Columns, RawBatch
from recsys.errors import DataError
from torture import ingest

COLUMNS = Columns("log", {"user": "u", "item": "i", "timestamp": "t"}, keep=10)


def read(path: Path, **options: int) -> list[RawBatch]:
    return [parse() for parse in parquet_blocks(path, COLUMNS, advance=lambda position: None, **options)]


@pytest.mark.parametrize("block_rows", [2, 100])
def test_rows_are_numbered_across_row_groups(tmp_path: Path, block_rows: int) -> None:
    table = pa.table({"x": range(7), "u": list("abcabca"), "i": list(range(7)), "t": [0.5] * 7})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=3)
    blocks = read(tmp_path / "a.parquet", block_rows=block_rows)
    assert [line for rows in blocks for line in rows.positions.tolist()] == [1, 2, 3, 4, 5, 6, 7]
    assert [user for rows in blocks for user in rows.column("user").to_pylist()] == list("abcabca")
    assert [item for rows in blocks for item in rows.column("item").to_pylist()] == list(range(7))
    assert set(blocks[0].rows.schema.names) == {"user", "item", "timestamp"}


def test_a_missing_column_and_a_damaged_file_are_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"u": ["a"], "item": ["x"], "t": [1]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a\.parquet: no column 'i' \(log\.item\)"):
        read(tmp_path / "a.parquet")
    (tmp_path / "b.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:-20])
    with pytest.raises(DataError, match=r"b\.parquet: cannot be read as Parquet"):
        read(tmp_path / "b.parquet")


def test_a_file_without_rows(tmp_path: Path) -> None:
    pq.write_table(pa.table({"u": pa.array([], "string"), "i": pa.array([], "int8"), "t": [1][:0]}), tmp_path / "a")
    assert sum(map(len, read(tmp_path / "a"))) == 0


def test_a_text_that_is_not_utf8_is_refused_and_shown(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    users = pa.array([b"u1", b"u\xff", b"u1"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"user": users, "item": ["a", "b", "c"]}), path)
    _, counts = read_log(FileSource((path,)), LogSchema(max_refused_share=0.5), quarantine=tmp_path / "q.jsonl")
    assert counts.refused == {"bad_utf8": 1}
    assert "u\ufffd" in (tmp_path / "q.jsonl").read_text(encoding="utf-8")


def test_a_name_of_a_column_that_is_not_utf8_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"user": ["u"], "item": ["a"], "n\u00e9": [1]}), path)
    path.write_bytes(path.read_bytes().replace("n\u00e9".encode(), b"n\xf2\xf2"))
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        read_log(FileSource((path,)), LogSchema())


@pytest.mark.parametrize("number", [100_118, 39_659])
def test_a_damaged_footer_ends_no_process_and_hides_no_row(tmp_path: Path, number: int) -> None:
    """pyarrow called abort() at once over the sizes of columns; rows that only the footer counts were lost."""
    content, layout, _ = ingest.case(number)
    (tmp_path / layout.name).write_bytes(content)
    assert ingest.try_file(tmp_path / layout.name, content, layout, None) == ["refused"]


def test_a_footer_that_counts_no_row_is_damaged(tmp_path: Path) -> None:
    pq.write_table(pa.table({"user": ["u"], "item": ["i"]}), path := tmp_path / "log.parquet")
    content = bytearray(path.read_bytes())
    ends = content[-8 - int.from_bytes(content[-8:-4], "little") :]
    at = len(content) - len(ends) + ends.index(b"\x16\x02\x19")  # field num_rows, 1 in zigzag, the list of row groups
    content[at + 1] = 0
    path.write_bytes(content)
    assert pq.read_metadata(path).num_rows == 0
    with pytest.raises(DataError, match=r"log\.parquet: its row groups hold 1 rows and its footer counts 0"):
        read_log(FileSource((path,)), LogSchema())
