"""CSV files: every row with its line, whatever the text looks like."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.config import FileFormat
from recsys.data.ingest.csv_blocks import csv_blocks
from recsys.data.ingest.refusals import NO_FAULT, REASONS
from recsys.data.ingest.source import Columns
from recsys.errors import DataError

COLUMNS = Columns("log", {"user": "user", "item": "item"}, keep=100)

TEXTS = Columns("items", {"title": "user", "attributes.item": "item"}, keep=COLUMNS.keep)
"""The same columns, of which each may have line ends in quotes."""


def read(path: Path, size: int = 10_000, of: Columns = COLUMNS, **settings: Any) -> list[tuple[object, ...]]:
    """Every row: its line, then user and item; or its line, then the reason and the text."""
    layout = FileFormat(**settings)
    found: list[tuple[object, ...]] = []
    for parse in csv_blocks(path, of, layout, advance=lambda position: None, block_bytes=size):
        rows = parse()
        for at, line in enumerate(rows.positions.tolist()):
            if rows.faults is not None and rows.faults[at] != NO_FAULT:
                found.append((line, REASONS[rows.faults[at]].value, rows.texts[at]))
            else:
                found.append((line, *(rows.column(key)[at].as_py().decode() for key in of.names)))
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
    "white space first": (b"  \n\t\nuser,item\na,x\n", [(4, "a", "x")]),
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
    assert read(file, size, TEXTS) == expected


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
    found = read(path, size, TEXTS)
    expected = [(line, *row) for line, row in zip(starts, rows, strict=True) if len(row) == 2]
    assert [row for row in found if row[1] != "bad_field_count"] == expected
    assert [row[0] for row in found] == starts


def _write(writer: object, file: io.TextIOBase, path: Path, row: list[str]) -> int:
    """Write one record; the line it starts at."""
    file.flush()
    line = path.read_bytes().count(b"\n") + 1
    writer.writerow(row)  # type: ignore[attr-defined]
    return line


LAYOUTS: dict[str, tuple[dict[str, Any], bytes, list[tuple[object, ...]]]] = {
    "quotes are text": (
        {"quoting": "none"},
        b'user,item\na,"x\nb,""\n"c,y"\n',
        [(2, "a", '"x'), (3, "b", '""'), (4, '"c', 'y"')],
    ),
    "no header": ({"columns": ("n", "user", "item")}, b"1,a,x\n\n2,b,y\n", [(1, "a", "x"), (3, "b", "y")]),
    "no header, and a mark": (
        {"columns": ("user", "item")},
        b"\xef\xbb\xbfa,x\n\xef\xbb\xbfb,y\n",
        [(1, "a", "x"), (2, "b", "y")],
    ),
    "a header although columns are named": (
        {"columns": ("user", "item")},
        b"user,item\na,x\n",
        [(1, "repeated_header", "user,item"), (2, "a", "x")],
    ),
    "several characters": (
        {"delimiter": "::"},
        b"user::item\na::x:\n:b::\nc:::y\n:::\n",
        [(2, "a", "x:"), (3, ":b", ""), (4, "c", ":y"), (5, "", ":")],
    ),
    "several characters in quotes": (
        {"delimiter": "||"},
        b'user||item\n"a||b"||"x\n|"\nb||y||z\n',
        [(2, "a||b", "x\n|"), (4, "bad_field_count", "b||y||z")],
    ),
    "signs of regular expressions": ({"delimiter": "^|$"}, b"user^|$item\na.*^|$x\n", [(2, "a.*", "x")]),
    "a separator beyond ASCII": ({"delimiter": "§"}, "user§item\na§x\n".encode(), [(2, "a", "x")]),
    "a separator that overlaps itself": ({"delimiter": "aab"}, b"useraabitem\naaaabxaa\n", [(2, "aa", "xaa")]),
    "a byte that stands for separators": (
        {"delimiter": "||"},
        b'user||item\na\x1f||x\n"b||"||\x1fy\n',
        [(2, "a\x1f", "x"), (3, "b||", "\x1fy")],
    ),
    "a tab, written": ({"delimiter": "\\t"}, b"user\titem\na\tx\n", [(2, "a", "x")]),
    "Excel": ({}, b"\xef\xbb\xbfsep=;\r\nuser;item\r\na;x\r\n", [(3, "a", "x")]),
    "Excel, with a delimiter": ({"delimiter": ","}, b"sep=;\nuser,item\na,x\n", [(3, "a", "x")]),
    "Excel, without a header": ({"columns": ("user", "item")}, b'"sep=;"\na;x\n', [(2, "a", "x")]),
    "latin-1": ({"encoding": "latin-1"}, "user,item\né,ÿ\n".encode("latin-1"), [(2, "é", "ÿ")]),
    "cp1252": ({"encoding": "cp1252"}, "user,item\n€,’\n".encode("cp1252"), [(2, "€", "’")]),
    "utf-16 with a mark": ({"encoding": "utf-16"}, "user,item\né,x\n".encode("utf-16"), [(2, "é", "x")]),
    "utf-16 without a mark": ({"encoding": "utf-16"}, "user,item\né,x\n".encode("utf-16-be"), [(2, "é", "x")]),
    "utf-16-le with a mark": (
        {"encoding": "utf-16-le"},
        "\ufeffuser,item\n😀,x\n".encode("utf-16-le"),
        [(2, "😀", "x")],
    ),
    "utf-8-sig": ({"encoding": "utf-8-sig"}, b"\xef\xbb\xbfuser,item\na,x\n", [(2, "a", "x")]),
    "latin-1 and several characters": (
        {"encoding": "latin-1", "delimiter": "§§"},
        "user§§item\né§§x\n".encode("latin-1"),
        [(2, "é", "x")],
    ),
    "a repeated header": (
        {},
        b"user,item\na,x\nuser,item\nb,y\nuser,z\n",
        [(2, "a", "x"), (3, "repeated_header", "user,item"), (4, "b", "y"), (5, "user", "z")],
    ),
    "a repeated header with a mark and quotes": (
        {},
        b'\xef\xbb\xbfuser,item\na,x\n\xef\xbb\xbf"user","item"\nb,y\n',
        [(2, "a", "x"), (3, "repeated_header", '"user","item"'), (4, "b", "y")],
    ),
    "a repeated header in a file without quoting": (
        {"quoting": "none", "delimiter": "\t"},
        b'user\titem\na\tx\n"user"\t"item"\n',
        [(2, "a", "x"), (3, "repeated_header", '"user"\t"item"')],
    ),
    "a repeated header with other columns": (
        {},
        b"n,user,item\n1,a,x\n2,user,item\nn,user,item\n",
        [(2, "a", "x"), (3, "user", "item"), (4, "repeated_header", "n,user,item")],
    ),
}


@pytest.mark.parametrize("case", LAYOUTS)
def test_layouts(file: Path, size: int, case: str) -> None:
    settings, text, expected = LAYOUTS[case]
    file.write_bytes(text)
    assert read(file, size, TEXTS, **settings) == expected


@pytest.mark.parametrize("kind", ["csv", "tsv"])
def test_only_csv_has_quotes_by_default(file: Path, kind: str) -> None:
    separator = {"csv": ",", "tsv": "\t"}[kind]
    file.write_text(f'user{separator}item\n"a"{separator}x\n')
    (parse,) = csv_blocks(file, COLUMNS, FileFormat(), kind=kind, advance=lambda position: None)
    assert parse().column("user").to_pylist() == [b"a" if kind == "csv" else b'"a"']


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-16-le", "shift_jis"])
def test_bytes_that_an_encoding_lacks_are_not_utf8(file: Path, size: int, encoding: str) -> None:
    bad = {"ascii": b"\xc3\xa9", "cp1252": b"\x81", "utf-16-le": b"\x00\xd8", "shift_jis": b"\xff"}[encoding]
    file.write_bytes("user,item\na,".encode(encoding) + bad + "\nb,y\n".encode(encoding))
    rows = read_items_as_bytes(file, size, encoding)
    assert rows[1] == b"y"
    with pytest.raises(UnicodeDecodeError):
        rows[0].decode()


def read_items_as_bytes(path: Path, size: int, encoding: str) -> list[bytes]:
    blocks = csv_blocks(path, COLUMNS, FileFormat(encoding=encoding), advance=lambda position: None, block_bytes=size)
    return [item for parse in blocks for item in parse().column("item").to_pylist()]


@pytest.mark.parametrize("quoted", [True, False])
def test_lines_without_a_row_are_counted(file: Path, size: int, quoted: bool) -> None:
    text = 'user,item\n\na,"x\ny\n\nz"\n\n\nb,y\n' if quoted else "user,item\r\n\r\na,x\r\n\r\n"
    file.write_text(text)
    lines = [
        parse().lines
        for parse in csv_blocks(file, TEXTS, FileFormat(), advance=lambda position: None, block_bytes=size)
    ]
    assert sum(part.blank for part in lines) == (3 if quoted else 2)
    assert sum(part.quoted for part in lines) == (3 if quoted else 0)
    assert [part.longest for part in lines if part.longest] == ([(3, 4)] if quoted else [])


ADVICE = {
    b"a;b;c\n": [';set log.delimiter = ";"'],
    b"user::item\n": ['set log.delimiter = "::"'],
    b"user | item\n": ['set log.delimiter = " | "'],
    b"user||item\n": ['set log.delimiter = "||"'],
    b"user\titem\n": ['set log.delimiter = "\\t"'],
    b"7,31,1700000000\n": [
        "the first line looks like data",
        "set log.columns to the names of its columns, in order (3)",
    ],
    b"u1,i1,2024-01-01\n": ["the first line looks like data"],
    b"1::2::1700000000\n": ['set log.delimiter = "::"', "log.columns to the names of its columns, in order (3)"],
    b"u1,i1\n": ["if the file has no header, set log.columns to the names of its columns, in order (2)"],
    b"us\xe9r,item\n": ["the names are not utf-8: set log.encoding"],
}


@pytest.mark.parametrize("text", ADVICE)
def test_a_header_that_lacks_a_column_is_recognised(file: Path, size: int, text: bytes) -> None:
    file.write_bytes(text)
    with pytest.raises(DataError) as caught:
        read(file, size)
    for part in ADVICE[text]:
        assert part.lstrip(";") in str(caught.value)


def test_quoted_names_in_a_file_without_quoting_are_recognised(file: Path) -> None:
    file.write_text('"user","item"\n')
    with pytest.raises(DataError, match=r'set log\.quoting = "double"'):
        read(file, quoting="none")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_recognised(file: Path, size: int, encoding: str) -> None:
    file.write_text("user,item\na,x\n", encoding=encoding)
    with pytest.raises(DataError, match=rf'looks like UTF-16.* set log\.encoding = "{encoding}"'):
        read(file, size)
    assert read(file, size, encoding=encoding) == [(2, "a", "x")]


def test_a_second_header_in_another_order_is_an_error(file: Path, size: int) -> None:
    file.write_text("user,item,n\na,x,1\nitem,n,user\ny,2,b\n")
    with pytest.raises(DataError, match=r"log\.csv:3: another header, with the columns in another order"):
        read(file, size)


def test_an_encoding_that_does_not_fit_is_recognised(file: Path) -> None:
    file.write_text("user,item,value\na,x,1\n")
    with pytest.raises(DataError, match=r'is log\.encoding = "utf-16-le" right'):
        read(file, encoding="utf-16-le")


def test_a_row_that_became_the_header_is_a_warning(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    file.write_text("user,item,2024-01-01T10:00:00\na,x,2024-01-01T10:00:00\n")
    assert len(read(file)) == 1
    assert "the first line is taken as the header and looks like data" in caplog.text


def test_a_header_that_became_a_row_is_a_warning(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    file.write_text("userId,movieId\n1,7\n2,8\n")
    assert len(read(file, columns=("user", "item"))) == 3
    assert "the first line looks like a header" in caplog.text


@pytest.mark.parametrize(
    ("kind", "quoting", "text", "n_found"),
    [
        ("tsv", "auto", b'user\titem\n"a"\t"x"\nb\t"y\n', 2),
        ("tsv", "none", b'user\titem\n"a"\t"x"\n', 0),
        ("csv", "auto", b'user,item\n"a","x"\n', 0),
    ],
)
def test_values_in_quotes_that_are_text_are_counted(
    file: Path, kind: str, quoting: Any, text: bytes, n_found: int
) -> None:
    file.write_bytes(text)
    (parse,) = csv_blocks(file, COLUMNS, FileFormat(quoting=quoting), kind=kind, advance=lambda position: None)
    assert parse().lines.in_quotes == n_found


@pytest.mark.parametrize("delimiter", ["\t", ";", "^", " "])
def test_other_delimiters(file: Path, size: int, delimiter: str) -> None:
    file.write_text(f"user{delimiter}item\na,b{delimiter}x\n")
    assert read(file, size, delimiter=delimiter) == [(2, "a,b", "x")]


STRAY = {
    "never closed": (
        'user,item\na,x\nb,"y\nc,z\nd,w\n',
        [(2, "a", "x"), (3, "stray_quote", 'b,"y'), (4, "c", "z"), (5, "d", "w")],
    ),
    "in the last line": ('user,item\na,x\nb,"y', [(2, "a", "x"), (3, "stray_quote", 'b,"y')]),
    "up to a quote that opens": (
        'user,item\na,"x\nb,y\nc,"z"\n',
        [(2, "stray_quote", 'a,"x'), (3, "b", "y"), (4, "c", "z")],
    ),
    "up to a quote that closes": (
        'user,item\na,"x\n' + "b,y\n" * 6 + 'c,7"\n',
        [(2, "stray_quote", 'a,"x'), *((line, "b", "y") for line in range(3, 9)), (9, "c", '7"')],
    ),
    "alone": ('user,item\n"\na,x\n', [(2, "stray_quote", '"'), (3, "a", "x")]),
    "many": (
        'user,item\n"\n' + 'a,"x\nb,y\n' * 50,
        [(2, "stray_quote", '"')]
        + [row for at in range(50) for row in ((3 + 2 * at, "stray_quote", 'a,"x'), (4 + 2 * at, "b", "y"))],
    ),
}


@pytest.mark.parametrize("case", STRAY)
def test_a_stray_quote_costs_its_own_line(file: Path, size: int, case: str) -> None:
    text, expected = STRAY[case]
    file.write_text(text)
    assert read(file, size) == expected


def test_a_header_may_be_far_down_and_long(tmp_path: Path) -> None:
    columns = ["x" * 100_000, "user", "item"]
    (tmp_path / "log.csv").write_text("\n" * 70_000 + ",".join(columns) + "\n1,a,x\n")
    assert read(tmp_path / "log.csv") == [(70_002, "a", "x")]


def test_a_file_of_blank_lines_has_no_header(file: Path, size: int) -> None:
    file.write_text("\n\r\n\n")
    with pytest.raises(DataError, match="blank lines only"):
        read(file, size)


def test_only_so_many_texts_are_kept(file: Path) -> None:
    file.write_text("user,item\n" + "x\n" * 300)
    (parse,) = csv_blocks(file, COLUMNS, FileFormat(), advance=lambda position: None)
    assert len(parse().texts) == COLUMNS.keep
