"""RowCounts: every row is accounted for, or the counts are refused."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data.ingest.accounting import RowCounts
from recsys.errors import DataError

COUNTS = st.integers(0, 10**9)


@settings(max_examples=25, deadline=None)
@given(accepted=COUNTS, merged=COUNTS, refused=st.dictionaries(st.sampled_from(["bad_time", "bad_utf8"]), COUNTS))
def test_counts_survive_json(accepted: int, merged: int, refused: dict[str, int]) -> None:
    counts = RowCounts(accepted + merged + sum(refused.values()), accepted, refused, merged)
    assert RowCounts.from_dict(json.loads(json.dumps(counts.to_dict()))) == counts


def test_a_row_that_is_not_accounted_for_is_an_error() -> None:
    with pytest.raises(DataError, match=r"10 rows read.* 5 accepted \+ 3 refused \+ 1 merged = 9"):
        RowCounts(10, 5, {"bad_time": 3}, 1)


def test_negative_counts_are_an_error() -> None:
    with pytest.raises(DataError, match="negative"):
        RowCounts(1, 2, {"bad_time": -1})


def test_share_and_zeros() -> None:
    counts = RowCounts(10, 8, {"bad_time": 2, "bad_utf8": 0})
    assert counts.refused_share == 0.2
    assert counts.n_refused == 2
    assert counts.refused == {"bad_time": 2}
    assert RowCounts(0, 0).refused_share == 0.0


def test_refused_cannot_be_changed() -> None:
    given = {"bad_time": 1}
    counts = RowCounts(1, 0, given)
    given["bad_time"] = 5
    assert counts.refused == {"bad_time": 1}
    with pytest.raises(TypeError):
        counts.refused["bad_time"] = 2  # type: ignore[index]


def test_a_dict_with_unknown_keys_is_named() -> None:
    with pytest.raises(DataError, match=r"'rows'.*expected rows_read"):
        RowCounts.from_dict({"rows": 1})
