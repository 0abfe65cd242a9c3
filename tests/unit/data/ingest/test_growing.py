"""Growing: what was appended, in order, and nothing of an earlier column."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data.ingest.growing import Growing


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(-9, 9), max_size=20), max_size=20))
def test_blocks_stand_side_by_side(blocks: list[list[int]]) -> None:
    column = Growing(np.int32)
    for block in blocks:
        column.append(np.array(block, np.int64))
    expected = [value for block in blocks for value in block]
    assert len(column) == len(expected)
    finished = column.finish()
    assert finished.dtype == np.int32
    assert finished.tolist() == expected


def test_a_finished_column_is_let_go() -> None:
    column = Growing(np.float32)
    column.append(np.ones(3, np.float32))
    first = column.finish()
    column.append(np.zeros(5, np.float32))
    assert first.tolist() == [1, 1, 1]
    assert column.finish().tolist() == [0] * 5
