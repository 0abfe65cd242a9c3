"""Attributes that are numbers."""

from typing import Any

import pyarrow as pa
import pytest

from recsys.data.ingest.numeric_columns import as_numbers


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", None, "-20"], [1, None, -20]),
        (["2008.0", "1999.0"], [2008, 1999]),
        (["4.34", "5"], [4.34, 5.0]),
        (["9.78e+12", "0.5"], [9.78e12, 0.5]),
        (["007", "12"], ["007", "12"]),
        (["1", "one"], ["1", "one"]),
        (["1,5"], ["1,5"]),
        (["nan", "1"], ["nan", "1"]),
        ([" 1"], [" 1"]),
        (["9" * 30], [float("9" * 30)]),
        ([2008.0, None], [2008, None]),
        ([1.5, 2.0], [1.5, 2.0]),
        ([3, 4], [3, 4]),
        ([True], [True]),
        ([None, None], [None, None]),
    ],
)
def test_numbers_only_where_every_value_is_one(values: list[Any], expected: list[Any]) -> None:
    column = as_numbers(pa.array(values, pa.string() if values == [None, None] else None))
    assert column.to_pylist() == expected
    assert [type(value) for value in column.to_pylist()] == [type(value) for value in expected]
