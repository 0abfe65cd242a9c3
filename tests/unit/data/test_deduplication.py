"""Double logging: the first of rows alike stays, however they are spread."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data.interactions import Interactions
from recsys.data.pairs import first_of_equal_rows, hash_rows

ROWS = st.lists(
    st.tuples(
        st.sampled_from("ab"), st.sampled_from("xy"), st.sampled_from([1, 2]), st.just(1.0), st.sampled_from("vp")
    ),
    min_size=1,
    max_size=25,
)
Log = Callable[..., Interactions]


def firsts(rows: list[tuple[object, ...]]) -> list[bool]:
    seen: set[object] = set()
    return [row not in seen and not seen.add(row) for row in rows]  # type: ignore[func-returns-value]


HASHES = {
    "as they are": hash_rows,
    "all equal": lambda columns: hash_rows(columns) * np.uint64(0),
    "two": lambda columns: hash_rows(columns) % np.uint64(2),
}


@pytest.mark.parametrize("hashed", HASHES.values(), ids=HASHES)
def test_as_a_set_would_tell(make_log: Log, hashed: Callable[[Any], Any]) -> None:
    """Even if different rows share a hash, which real hashes hardly ever do."""

    @settings(max_examples=40, deadline=None)
    @given(ROWS)
    def check(rows: list[tuple[object, ...]]) -> None:
        assert first_of_equal_rows(make_log(rows), hashed=hashed).tolist() == firsts(rows)

    check()


def test_a_log_without_time_and_event_is_compared_by_user_and_item(make_log: Log) -> None:
    rows = [("a", "x"), ("a", "y"), ("b", "x"), ("a", "x"), ("a", "y")]
    assert first_of_equal_rows(make_log(rows)).tolist() == [True, True, True, False, False]


def test_one_row(make_log: Log) -> None:
    assert first_of_equal_rows(make_log([("a", "x")])).tolist() == [True]
