"""Columns and Python objects as text, numbers or null."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data.ingest.columns import as_text, cast_or_null, ids_of, is_blank, mask, numbers, texts_of
from recsys.data.ingest.refusals import NO_FAULT, REASONS, Reason


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["1", "-2", "x", "", None])))
def test_only_what_cannot_be_cast_is_null(texts: list[str | None]) -> None:
    expected = [int(text) if text in ("1", "-2") else None for text in texts]
    assert cast_or_null(pa.array(texts, pa.string()), pa.int64()).to_pylist() == expected


def test_bytes_that_are_not_utf8_are_null_as_text() -> None:
    assert cast_or_null(pa.array([b"a", b"\xff", b"\xc3\xa9"]), pa.string()).to_pylist() == ["a", None, "é"]


NUMBERS = {
    "1": 1.0, "-2.5": -2.5, "+3": 3.0, ".5": 0.5, "5.": 5.0, "1e3": 1000.0, " 7\t": 7.0, "1e400": float("inf"),
    "inf": float("inf"), "-Infinity": float("-inf"), "1.600000000000001e15": 1600000000000001.0,
    "": None, "x": None, "1,5": None, "0x1F": None, "1_0": None, "--1": None, "1 2": None, "é": None,
}  # fmt: skip


@pytest.mark.parametrize("neighbour", ["1", "x"])
def test_numbers_do_not_depend_on_what_stands_around_them(neighbour: str) -> None:
    for text, number in NUMBERS.items():
        assert numbers(pa.array([neighbour, text])).to_pylist()[1] == number, text


def test_numbers_of_bytes_that_are_not_utf8() -> None:
    text = as_text(pa.array([b"\xff", b"1"]))
    assert numbers(text).to_pylist() == [None, 1.0]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary()])
def test_text_of_every_type(kind: pa.DataType) -> None:
    column = pa.array(["a", None, ""]).cast(kind)
    assert as_text(column).to_pylist() == ["a", None, ""]
    assert as_text(column[1:]).to_pylist() == [None, ""]
    coded = pa.array(["a", None, "a"]).dictionary_encode()
    assert as_text(coded).to_pylist() == ["a", None, "a"]


def test_what_is_no_text_has_none() -> None:
    assert as_text(pa.array([1, 2])) is None


def test_blank_is_nothing_but_white_space() -> None:
    assert mask(is_blank(pa.array(["", "  \t", None, "a "]))).tolist() == [True, True, True, False]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("u1", b"u1"),
        (b"u1", b"u1"),
        (12, b"12"),
        (2**70, str(2**70).encode()),
        (np.int32(5), b"5"),
        (12.0, b"12"),
        (np.float64(12.0), b"12"),
        (None, None),
        (float("nan"), None),
        ("\udcff", b"\xff"),
        ("\ud800", b"\xed\xa0\x80"),
    ],
)
def test_ids(value: object, expected: bytes | None) -> None:
    column, faults = ids_of([value])
    assert (column.to_pylist(), faults) == ([expected], None)


@pytest.mark.parametrize("value", [True, 1.5, float("inf"), [], {"id": 1}])
def test_what_is_no_id(value: object) -> None:
    column, faults = ids_of(["ok", value])
    assert column.to_pylist() == [b"ok", None]
    assert faults is not None
    assert faults[0] == NO_FAULT
    assert REASONS[faults[1]] is Reason.ID_NOT_TEXT


@pytest.mark.parametrize("value", [2.0**53, -1e300, np.float32(2.0**24)])
def test_a_float_that_is_too_large_for_all_its_digits_is_no_id(value: object) -> None:
    _, faults = ids_of([value])
    assert faults is not None
    assert REASONS[faults[0]] is Reason.ID_LOST_DIGITS


def test_texts_are_spelled_as_json_spells_them() -> None:
    values = ["a", 1, 2.5, True, None, ["é", 1], {"k": None}]
    assert texts_of(values).to_pylist() == [
        b"a", b"1", b"2.5", b"true", None, '["é", 1]'.encode(), b'{"k": null}',
    ]  # fmt: skip
