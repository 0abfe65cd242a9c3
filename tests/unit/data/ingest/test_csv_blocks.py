"""CSV files: every row with its line, whatever the text looks like."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data.ingest.csv_blocks import csv_blocks
from recsys.data.ingest.refusals import NO_FAULT, REASONS
from recsys.data.ingest.source import Columns
from recsys.errors import DataError

COLUMNS = Columns("log", {"user": "user", "item": "item"}, keep=100)


def read(path: Path, delimiter: str = ",", *, size: int = 10_000) -> list[tuple[object, ...]]:
    """Every row: its line, then user and item; or its line, then the reason and the text."""
    found: list[tuple[object, ...]] = []
    for parse in csv_blocks(path, COLUMNS, delimiter=delimiter, advance=lambda position: None, block_bytes=size):
        rows = parse()
        for at, line in enumerate(rows.positions.tolist()):
            if rows.faults is not None and rows.faults[at] != NO_FAULT:
                found.append((line, REASONS[rows.faults[at]].value, rows.texts[at]))
            else:
                found.append((line, *(rows.column(key)[at].as_py().decode() for key in ("user", "item"))))
    return found


@pytest.fixture(params=[1, 5, 16, 10_000], ids=lambda size: f"blocks of {size}")
def size(request: pytest.FixtureRequest) -> int:
    """Bytes per block."""
    return int(request.param)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "log.csv"


CASES = {
    "plain": (b"user,item\na,x\nb,y\n", [(2, "a", "x"), (3, "b", "y")]),
    "no end": (b"user,item\na,x\nb,y", [(2, "a", "x"), (3, "b", "y")]),
    "windows": (b"user,item\r\na,x\r\n\r\nb,y\r\n", [(2, "a", "x"), (4, "b", "y")]),
    "old mac": (b"user,item\ra,x\rb,y", [(1, "a", "x"), (1, "b", "y")]),
    "mark": (b"\xef\xbb\xbfuser,item\na,x\n", [(2, "a", "x")]),
    "other columns": (b"n,item,user,n\n1,x,a,2\n", [(2, "a", "x")]),
    "bad bytes elsewhere": (b"user,item,n\xff\na,x,\xff\n", [(2, "a", "x")]),
    "blank lines": (b"\n\nuser,item\n\na,x\n\n\nb,y\n\n", [(5, "a", "x"), (8, "b", "y")]),
    "empty fields": (b"user,item\n,\na,\n", [(2, "", ""), (3, "a", "")]),
    "words for nothing": (b"user,item\nNA,null\nnan,None\n", [(2, "NA", "null"), (3, "nan", "None")]),
    "quotes": (b'user,item\n"a","x,""y"""\n"",z\n', [(2, "a", 'x,"y"'), (3, "", "z")]),
    "quoted lines": (
        b'user,item\n"a\n\nb",x\nc,"\r\n"\nd,y\n',
        [(2, "a\n\nb", "x"), (5, "c", "\r\n"), (7, "d", "y")],
    ),
    "inches": (b'user,item\na,5" pipe\nb,6"\nc,"7"""\n', [(2, "a", '5" pipe'), (3, "b", '6"'), (4, "c", '7"')]),
    "quoted header": (b'"us\ner","user",item\n1,a,x\n', [(3, "a", "x")]),
    "bad widths": (
        b'user,item\na\nb,y\nc,z,1\n"d\n",\xff,1\ne,w\n   \n',
        [
            (2, "bad_field_count", "a"),
            (3, "b", "y"),
            (4, "bad_field_count", "c,z,1"),
            (5, "bad_field_count", '"d\n",�,1'),
            (7, "e", "w"),
            (8, "bad_field_count", "   "),
        ],
    ),
    "bad widths only": (b"user,item\na\nb\n", [(2, "bad_field_count", "a"), (3, "bad_field_count", "b")]),
    "header only": (b"user,item\n", []),
    "header without end": (b"user,item", []),
    "blank lines only": (b"user,item\n\n\n", []),
}


@pytest.mark.parametrize("case", CASES)
def test_rows_and_lines(file: Path, size: int, case: str) -> None:
    text, expected = CASES[case]
    file.write_bytes(text)
    assert read(file, size=size) == expected


FIELDS = st.text(alphabet='ab ,"\n\r', max_size=4)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.lists(FIELDS, min_size=1, max_size=3), max_size=8), size=st.integers(1, 60))
def test_what_pythons_csv_writes_is_read_as_pythons_csv_reads_it(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], size: int
) -> None:
    path = tmp_path_factory.mktemp("csv") / "log.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["user", "item"])
        starts = [_write(writer, file, path, row) for row in rows]
    found = read(path, size=size)
    expected = [(line, *row) for line, row in zip(starts, rows, strict=True) if len(row) == 2]
    assert [row for row in found if row[1] != "bad_field_count"] == expected
    assert [row[0] for row in found] == starts


def _write(writer: object, file: io.TextIOBase, path: Path, row: list[str]) -> int:
    """Write one record; the line it starts at."""
    file.flush()
    line = path.read_bytes().count(b"\n") + 1
    writer.writerow(row)  # type: ignore[attr-defined]
    return line


@pytest.mark.parametrize("delimiter", ["\t", ";", "^", " "])
def test_other_delimiters(file: Path, size: int, delimiter: str) -> None:
    file.write_text(f"user{delimiter}item\na,b{delimiter}x\n")
    assert read(file, delimiter, size=size) == [(2, "a,b", "x")]


def test_a_quote_that_is_never_closed_is_named_with_its_line(file: Path, size: int) -> None:
    file.write_text('user,item\na,x\nb,"y\nc,z\nd,w\n')
    with pytest.raises(DataError, match=r"log\.csv:3: .*a quote opened and not closed"):
        read(file, size=size)


def test_a_header_may_be_far_down_and_long(tmp_path: Path) -> None:
    columns = ["x" * 100_000, "user", "item"]
    (tmp_path / "log.csv").write_text("\n" * 70_000 + ",".join(columns) + "\n1,a,x\n")
    assert read(tmp_path / "log.csv") == [(70_002, "a", "x")]


def test_a_file_of_blank_lines_has_no_header(file: Path, size: int) -> None:
    file.write_text("\n\r\n\n")
    with pytest.raises(DataError, match="blank lines only"):
        read(file, size=size)


def test_only_so_many_texts_are_kept(file: Path) -> None:
    file.write_text("user,item\n" + "x\n" * 300)
    (parse,) = csv_blocks(file, COLUMNS, delimiter=",", advance=lambda position: None)
    assert len(parse().texts) == COLUMNS.keep
