"""Casts that spare what can be cast."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data.ingest.casting import as_text, cast_or_null, is_blank, mask, numbers


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
