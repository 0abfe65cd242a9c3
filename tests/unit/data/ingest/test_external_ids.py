"""Ids of a block: text as it stands, and a name for whatever cannot be one."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from recsys.data.ingest.external_ids import known_kinds, read_ids, read_kinds
from recsys.data.ingest.refusals import NO_FAULT, REASONS, Reason


def read(column: pa.Array, *nulls: str) -> list[bytes | Reason]:
    coded = read_ids(column, Reason.MISSING_USER, null_ids=nulls)
    ids, faults = coded.ids, coded.faults
    assert ids.type == pa.dictionary(pa.int32(), pa.binary())
    assert ids.indices.null_count == 0
    struck = np.full(len(ids), NO_FAULT) if faults is None else faults
    return [
        name if number == NO_FAULT else REASONS[number]
        for name, number in zip(ids.dictionary_decode().to_pylist(), struck, strict=True)
    ]


def test_text_is_taken_as_it_stands() -> None:
    texts = [b"u1", b" u1", b"u1 ", b"U1", b"1.0.0", b"01", "é".encode(), b"a\x00b", b'"']
    assert read(pa.array(texts * 2)) == texts * 2


def test_what_is_refused() -> None:
    column = pa.array([b"", b" \t", None, b"ok", b"\xff", b"\xed\xa0\x80", b"x" * 256, b"x" * 257])
    missing = Reason.MISSING_USER
    assert read(column) == [
        missing, missing, missing, b"ok", Reason.BAD_UTF8, Reason.BAD_UTF8, b"x" * 256, Reason.ID_TOO_LONG,
    ]  # fmt: skip


def test_256_bytes_are_counted_in_utf8() -> None:
    assert read(pa.array(["é" * 128, "é" * 129])) == [("é" * 128).encode(), Reason.ID_TOO_LONG]


@pytest.mark.parametrize("kind", [pa.int8(), pa.uint64(), pa.int64(), pa.decimal128(20, 0)])
def test_whole_numbers_become_their_digits(kind: pa.DataType) -> None:
    assert read(pa.array([7, None, 7, 12]).cast(kind)) == [b"7", Reason.MISSING_USER, b"7", b"12"]


def test_floats_are_ids_where_they_are_whole_and_exact() -> None:
    column = pa.array([13085.0, None, float("nan"), -1.0, 1.5, 2.0**53, float("inf")])
    missing, not_text = Reason.MISSING_USER, Reason.ID_NOT_TEXT
    assert read(column) == [b"13085", missing, missing, b"-1", not_text, Reason.ID_LOST_DIGITS, not_text]


@pytest.mark.parametrize("column", [pa.array([True, None]), pa.array([[1], None]), pa.array([{"a": 1}, None])])
def test_other_types_are_no_ids(column: pa.Array) -> None:
    assert read(column) == [Reason.ID_NOT_TEXT, Reason.MISSING_USER]


def test_dictionaries_with_ids_that_no_row_has() -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([1, None, 1], pa.int8()), pa.array(["bad" * 100, "b"]))
    assert read(column) == [b"b", Reason.MISSING_USER, b"b"]


@pytest.mark.parametrize("column", [pa.array([], pa.binary()), pa.nulls(2, pa.binary()), pa.nulls(2)])
def test_nothing_at_all(column: pa.Array) -> None:
    assert read(column) == [Reason.MISSING_USER] * len(column)


def test_kinds_that_are_not_known() -> None:
    events, _ = read_kinds(pa.array(["view", "scan", "view"]), Reason.MISSING_EVENT)
    faults = known_kinds(events, frozenset([b"view"]))
    assert faults is not None
    assert [number != NO_FAULT for number in faults] == [False, True, False]
    assert known_kinds(events, frozenset([b"view", b"scan"])) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("101.0", "101"),
        ("101.00", "101"),
        ("0.0", "0"),
        ("-1.0", "-1"),
        ("007.0", "007.0"),
        ("1.5", "1.5"),
        ("1.0.0", "1.0.0"),
        ("1.", "1."),
        ("x1.0", "x1.0"),
        (" 1.0", " 1.0"),
    ],
)
def test_a_whole_number_written_as_a_float_is_its_digits(text: str, expected: str) -> None:
    for others in ([], ["u1"], ["102"], ["102.0"]):
        assert read(pa.array([text, *others]))[0] == expected.encode()


def test_rows_whose_id_was_written_as_a_float_are_counted() -> None:
    column = pa.array(["7.0", "7", "8.0", "7.0", None, "x"])
    coded = read_ids(column, Reason.MISSING_USER, null_ids=())
    assert coded.notes == {"user ids such as 7.0 read as 7": 3}


@pytest.mark.parametrize(
    "text",
    [
        "1.2345678901234568e+18",
        "1.23457E+18",
        "1,23457E+18",
        "1E+18",
        "1e+07",
        "1.0E7",
        "-2.5e10",
        "9007199254740992.0",
        "12.5E+10",
    ],
)
def test_an_id_that_may_have_lost_digits_is_refused(text: str) -> None:
    assert read(pa.array([text, "u1"])) == [Reason.ID_LOST_DIGITS, b"u1"]


@pytest.mark.parametrize("text", ["1e5", "12E4", "7E+1x", "1.2.3e5", "3e8f", "e+18", "12345678901234567890", "5-1.5"])
def test_a_code_that_only_looks_like_a_number_is_an_id(text: str) -> None:
    assert read(pa.array([text])) == [text.encode()]


@pytest.mark.parametrize("text", ["NULL", " NULL", "nan\t", "\\N"])
def test_a_spelling_of_null_is_a_missing_id_unless_it_is_told_otherwise(text: str) -> None:
    assert read(pa.array([text, "u1"]), "NULL", "nan", "\\N") == [Reason.MISSING_USER, b"u1"]
    assert read(pa.array([text, "u1"])) == [text.encode(), b"u1"]


@pytest.mark.parametrize("text", ["Null", "NULLS", "nancy", "NULL NULL"])
def test_other_words_are_ids(text: str) -> None:
    assert read(pa.array([text]), "NULL", "nan") == [text.encode()]


@pytest.mark.parametrize("text", ["\u00a0", " \u2003\u3000", "\u200a"])
def test_white_space_of_any_kind_is_a_missing_id(text: str) -> None:
    assert read(pa.array([text, "\u3042", f"a{text}"])) == [
        Reason.MISSING_USER, "\u3042".encode(), f"a{text}".encode(),
    ]  # fmt: skip


def test_decimals_are_ids_if_they_are_whole() -> None:
    column = pa.array([Decimal("101.0000"), None, Decimal("1.5"), Decimal("-3")], pa.decimal128(20, 4))
    assert read(column) == [b"101", Reason.MISSING_USER, Reason.ID_NOT_TEXT, b"-3"]


def test_spellings_of_null_are_counted_one_by_one() -> None:
    coded = read_ids(pa.array(["NULL", "u1", "nan", "NULL "]), Reason.MISSING_ITEM, null_ids=("NULL", "nan"))
    assert coded.notes == {"item ids 'NULL' read as missing": 2, "item ids 'nan' read as missing": 1}


def test_the_rules_look_at_the_part_of_a_column_that_is_read() -> None:
    column = pa.array(["1e+18", "7.0", "NULL", "u1", "8.0"])
    assert read(column[3:], "NULL") == [b"u1", b"8"]
    assert read(column[1:3], "NULL") == [b"7", Reason.MISSING_USER]
