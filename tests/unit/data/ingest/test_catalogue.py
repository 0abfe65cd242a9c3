"""Catalogues: what is known of each item, from whatever file."""

import gzip
import json
import logging
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.config import ItemsConfig
from recsys.data.ingest.catalogue import read_items
from recsys.data.ingest.file_source import FileSource
from recsys.data.items import Items
from recsys.errors import DataError

ROWS = [
    {"sku": "b", "name": "Bowl", "price": "4.50", "year": "2008.0", "code": "007"},
    {"sku": "a", "name": "", "price": "3", "year": "", "code": "12"},
    {"sku": "a", "name": "Apple", "price": "9", "year": "1999.0", "code": "13"},
    {"sku": "a", "name": "Other", "price": "", "year": "", "code": ""},
]


def config(path: Path, **settings: Any) -> ItemsConfig:
    return ItemsConfig(path=(path,), id="sku", title="name", attributes=("price", "year", "code"), **settings)


def rows_of(items: Items) -> dict[str, list[Any]]:
    return {"id": items.ids.ids.to_pylist(), **items.table.to_pydict()}


EXPECTED = {
    "id": ["a", "b"],
    "title": ["Apple", "Bowl"],
    "price": [3.0, 4.5],
    "year": [1999, 2008],
    "code": ["12", "007"],
}


def csv_text(delimiter: str = ",") -> bytes:
    lines = [delimiter.join(ROWS[0]), *(delimiter.join(row.values()) for row in ROWS)]
    return "\n".join(lines).encode()


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.tsv", "a.jsonl", "a.parquet"])
@pytest.mark.parametrize("block_bytes", [40, 10_000])
def test_the_first_known_value_of_each_column_counts(tmp_path: Path, name: str, block_bytes: int) -> None:
    path = tmp_path / name
    match name.split(".", 1)[1]:
        case "csv":
            path.write_bytes(csv_text())
        case "csv.gz":
            path.write_bytes(gzip.compress(csv_text()))
        case "tsv":
            path.write_bytes(csv_text("\t"))
        case "jsonl":
            path.write_text("\n".join(json.dumps(row) for row in ROWS))
        case "parquet":
            pq.write_table(pa.Table.from_pylist(ROWS), path)
    source = replace(FileSource.of_items(config(path)), block_bytes=block_bytes)
    assert rows_of(read_items(config(path), source=source)) == EXPECTED


def test_types_of_json_and_parquet_stay(tmp_path: Path) -> None:
    rows = [{"sku": 2, "name": "Two", "price": 1.5, "year": 3, "code": True}, {"sku": 1, "price": None}]
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    expected = {
        "id": ["1", "2"],
        "title": [None, "Two"],
        "price": [None, 1.5],
        "year": [None, 3],
        "code": [None, True],
    }
    assert rows_of(read_items(config(tmp_path / "a.parquet"))) == expected
    assert rows_of(read_items(config(tmp_path / "a.jsonl"))) == expected


def test_lists_stay_lists_and_objects_are_json_text(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [{"sku": "a", "name": "A", "price": ["x", "é"], "year": 1, "code": {"k": 1}}]
    expected = {"id": ["a"], "title": ["A"], "price": [["x", "é"]], "year": [1], "code": ['{"k": 1}']}
    (tmp_path / "a.jsonl").write_text(json.dumps(rows[0]))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    for name in ("a.jsonl", "a.parquet"):
        assert rows_of(read_items(config(tmp_path / name))) == expected
    assert caplog.text.count("attribute 'code' holds objects or nested lists") == 2


def test_rows_without_a_usable_id_are_left_out_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.csv").write_bytes(b"sku,name\na,A\n,B\nc\n\xff,D\n")
    with caplog.at_level(logging.WARNING):
        items = read_items(ItemsConfig(path=(tmp_path / "a.csv",), id="sku", title="name"))
    assert rows_of(items) == {"id": ["a"], "title": ["A"]}
    for reason, line in [("missing_item", 3), ("bad_field_count", 4), ("bad_utf8", 5)]:
        assert f"1 x {reason}" in caplog.text
        assert f"a.csv:{line}" in caplog.text


def test_titles_in_another_encoding_keep_what_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("sku,name\na,Caf\xe9\nb,Tea\nc,\n".encode("latin-1"))
    items = read_items(ItemsConfig(path=(tmp_path / "a.csv",), id="sku", title="name"))
    assert items.table.column("title").to_pylist() == ["Caf�", "Tea", None]


def test_titles_are_text_even_if_they_are_numbers(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("sku,name\na,1984\n")
    items = read_items(ItemsConfig(path=(tmp_path / "a.csv",), id="sku", title="name"))
    assert items.title(0) == "1984"


def test_ids_written_as_floats_meet_those_of_the_log(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("sku,name\n12.0,A\n7.0,B\n")
    items = read_items(ItemsConfig(path=(tmp_path / "a.csv",), id="sku", title="name"))
    assert rows_of(items) == {"id": ["12", "7"], "title": ["A", "B"]}


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.csv: no such file"):
        read_items(config(tmp_path / "gone.csv"))
    (tmp_path / "a.csv").write_text("sku,name,prize,year,code\n")
    with pytest.raises(DataError, match=r"no column 'price' \(items\.attributes\.price\); did you mean 'prize'"):
        read_items(config(tmp_path / "a.csv"))
    (tmp_path / "a.csv").write_text("sku\n\n")
    with pytest.raises(DataError, match="no row has a usable id in column 'sku'"):
        read_items(ItemsConfig(path=(tmp_path / "a.csv",), id="sku"))


def test_the_catalogue_has_a_format_and_a_delimiter_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "a.dat").write_text("sku;name\na;Lamp\n")
    items = read_items(ItemsConfig(path=(tmp_path / "a.dat",), format="csv", delimiter=";", id="sku", title="name"))
    assert items.title(0) == "Lamp"


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_titles_in_another_encoding_are_counted(
    tmp_path: Path, encoding: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.csv").write_text("sku,name\na,Café\nb,Lamp\n", encoding="latin-1")
    items = read_items(ItemsConfig(path=(tmp_path / "a.csv",), encoding=encoding, id="sku", title="name"))
    assert items.title(0) == ("Café" if encoding == "latin-1" else "Caf\ufffd")
    assert ("1 of 2 values of 'title' hold bytes that are not utf-8" in caplog.text) == (encoding == "utf-8")


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """A catalogue in a folder: two days of Parquet, with a marker, and products 2 and 3 on both."""
    for day, ids in (("2024-01-01", [1, 2, 3]), ("2024-01-02", [4, 3, 2])):
        (tmp_path / f"day={day}").mkdir()
        names = [f"{day} {number}" for number in ids]
        pq.write_table(pa.table({"sku": ids, "name": names}), tmp_path / f"day={day}" / "part-0.parquet")
    (tmp_path / "_SUCCESS").touch()
    return tmp_path


@pytest.mark.parametrize("paths", [(".",), ("day=*",), ("day=2024-01-02", "day=2024-01-01/part-0.parquet")])
def test_several_files_are_one_catalogue(
    parts: Path, paths: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    given = tuple(parts / path for path in paths)
    items = read_items(ItemsConfig(path=given, id="sku", title="name", attributes=("day",)))
    assert rows_of(items) == {
        "id": ["1", "2", "3", "4"],
        "title": ["2024-01-01 1", "2024-01-01 2", "2024-01-01 3", "2024-01-02 4"],
        "day": [date(2024, 1, 1), date(2024, 1, 1), date(2024, 1, 1), date(2024, 1, 2)],
    }
    (told,) = [record.getMessage() for record in caplog.records]
    first, other = (parts / f"day=2024-01-0{day}" / "part-0.parquet" for day in (1, 2))
    assert told == (
        f"2 of 4 items are in more than one file, such as 2 in {first}:2 and {other}:3; "
        "per column, the first value counts"
    )


def test_an_item_on_several_rows_of_one_file_is_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.csv").write_bytes(csv_text())
    (tmp_path / "b.csv").write_text("sku,name,price,year,code\nc,Cup,1,1,1\n")
    with caplog.at_level(logging.INFO):
        read_items(ItemsConfig(path=(tmp_path,), id="sku"))
    (told,) = [record for record in caplog.records if "more than one" in record.getMessage()]
    assert told.levelno == logging.WARNING
    assert told.getMessage().startswith(
        f"1 of 3 items are in more than one row, such as a in {tmp_path / 'a.csv'}:3 and"
    )


def test_a_catalogue_of_ids_alone_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.csv").write_text("sku,name\na,A\nb,B\n")
    items = read_items(ItemsConfig(path=(tmp_path / "a.csv",), id="sku"))
    assert (len(items.ids), items.title(0)) == (2, None)
    assert "items.title and items.attributes name no column" in caplog.text
