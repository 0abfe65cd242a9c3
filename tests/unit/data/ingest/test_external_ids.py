"""Ids of a block: text as it stands, and a name for whatever cannot be one."""

import numpy as np
import pyarrow as pa
import pytest

from recsys.data.ingest.external_ids import code_ids, known_kinds, without_float_tails
from recsys.data.ingest.refusals import NO_FAULT, REASONS, Reason


def read(column: pa.Array) -> list[bytes | Reason]:
    ids, faults = code_ids(column, Reason.MISSING_USER)
    assert ids.type == pa.dictionary(pa.int32(), pa.binary())
    assert ids.indices.null_count == 0
    struck = np.full(len(ids), NO_FAULT) if faults is None else faults
    return [
        name if number == NO_FAULT else REASONS[number]
        for name, number in zip(ids.dictionary_decode().to_pylist(), struck, strict=True)
    ]


def test_text_is_taken_as_it_stands() -> None:
    texts = [b"u1", b" u1", b"u1 ", b"U1", b"1.0", b"01", "é".encode(), b"a\x00b", b'"']
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
    assert read(column) == [b"13085", missing, missing, b"-1", not_text, not_text, not_text]


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
    events, _ = code_ids(pa.array(["view", "scan", "view"]), Reason.MISSING_EVENT)
    faults = known_kinds(events, frozenset([b"view"]))
    assert faults is not None
    assert [number != NO_FAULT for number in faults] == [False, True, False]
    assert known_kinds(events, frozenset([b"view", b"scan"])) is None


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["1.0", "13085.0"], ["1", "13085"]),
        (["007.0"], ["007"]),
        (["1.0", "x"], ["1.0", "x"]),
        (["1.0", "2"], ["1.0", "2"]),
        (["1.00"], ["1.00"]),
        (["-1.0"], ["-1.0"]),
        ([], []),
    ],
)
def test_float_tails_are_cut_only_where_every_id_has_one(ids: list[str], expected: list[str]) -> None:
    assert without_float_tails(pa.array(ids, pa.string())).to_pylist() == expected
