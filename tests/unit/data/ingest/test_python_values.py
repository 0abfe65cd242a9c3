"""Python objects as ids and as text."""

import numpy as np
import pytest

from recsys.data.ingest import python_values
from recsys.data.ingest.refusals import NO_FAULT, REASONS, Reason


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
    column, faults = python_values.ids([value])
    assert (column.to_pylist(), faults) == ([expected], None)


@pytest.mark.parametrize("value", [True, 1.5, 2.0**53, float("inf"), [], {"id": 1}])
def test_what_is_no_id(value: object) -> None:
    column, faults = python_values.ids(["ok", value])
    assert column.to_pylist() == [b"ok", None]
    assert faults is not None
    assert faults[0] == NO_FAULT
    assert REASONS[faults[1]] is Reason.ID_NOT_TEXT


def test_texts_are_spelled_as_json_spells_them() -> None:
    values = ["a", 1, 2.5, True, None, ["é", 1], {"k": None}]
    assert python_values.texts(values).to_pylist() == [
        b"a", b"1", b"2.5", b"true", None, '["é", 1]'.encode(), b'{"k": null}',
    ]  # fmt: skip
