"""TextColumn: what pyarrow says, without asking it."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.data.arrow_file import TextColumn

TEXTS = st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5), max_size=30)


@given(texts=TEXTS, start=st.integers(0, 12))
def test_strings_and_nulls_of_a_column_or_of_a_part(texts: list[str | None], start: int) -> None:
    column = pa.array(texts, pa.string())[start:]
    made = TextColumn(column)
    assert list(made) == made[:] == column.to_pylist()
    assert len(made) == len(column)
    assert made[::3] == column.to_pylist()[::3]


def test_nothing_but_nulls_and_nothing_at_all() -> None:
    assert TextColumn(pa.nulls(9, pa.string()))[:] == [None] * 9
    assert TextColumn(pa.array([], pa.string()))[:] == []


def test_negative_positions_count_from_the_end() -> None:
    column = TextColumn(pa.array(["a", None, "c"]))
    assert (column[-1], column[-2], column[-3]) == ("c", None, "a")
    with pytest.raises(IndexError):
        column[-4]
