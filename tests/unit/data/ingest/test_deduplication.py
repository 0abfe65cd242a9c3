"""Double logging: the first of rows alike stays, however they are spread."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data.ingest import deduplication
from recsys.data.ingest.deduplication import first_of_alike
from recsys.data.interactions import Interactions

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


@pytest.mark.parametrize("marks", ["apart", "all alike", "two"])
def test_as_a_set_would_tell(make_log: Log, marks: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where different rows share a mark, which real marks hardly ever do."""
    real = deduplication._marks
    same = {"apart": real, "all alike": lambda c: real(c) * np.uint64(0), "two": lambda c: real(c) % np.uint64(2)}
    monkeypatch.setattr(deduplication, "_marks", same[marks])

    @settings(max_examples=40, deadline=None)
    @given(ROWS)
    def check(rows: list[tuple[object, ...]]) -> None:
        assert first_of_alike(make_log(rows)).tolist() == firsts(rows)

    check()


def test_a_log_without_time_and_event_is_compared_by_user_and_item(make_log: Log) -> None:
    rows = [("a", "x"), ("a", "y"), ("b", "x"), ("a", "x"), ("a", "y")]
    assert first_of_alike(make_log(rows)).tolist() == [True, True, True, False, False]


def test_one_row(make_log: Log) -> None:
    assert first_of_alike(make_log([("a", "x")])).tolist() == [True]
