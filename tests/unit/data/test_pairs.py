"""Merging a user's events with an item into one entry."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data.pairs import merge_events, places_in_runs, run_starts
from recsys.errors import ConfigError

ROWS = [("v", "a", 3), ("u", "b", 9), ("u", "a", 5), ("u", "b", 1), ("u", "b", 4)]
WEIGHT = np.array([1, 2, 4, 8, 16], np.float32)

many_rows = st.lists(
    st.tuples(st.sampled_from("uvwx"), st.sampled_from("abcd"), st.integers(0, 5), st.sampled_from([0.5, 1, 2, 3])),
    min_size=1,
    max_size=40,
)


def as_table(log, pairs):
    ids = zip(log.users.decode(pairs.user_idx), log.items.decode(pairs.item_idx), strict=True)
    return list(zip(ids, pairs.weight.tolist(), pairs.n_events.tolist(), strict=True))


@pytest.mark.parametrize(
    ("repeats", "of_ub"),
    [("sum", 26.0), ("max", 16.0), ("last", 2.0)],
)
def test_hand_worked(make_log, repeats, of_ub):
    log = make_log(ROWS)
    expected = [(("u", "a"), 4.0, 1), (("u", "b"), of_ub, 3), (("v", "a"), 1.0, 1)]
    assert as_table(log, merge_events(log, WEIGHT, repeats)) == expected


def test_last_of_equal_times_is_the_later_row(make_log):
    log = make_log([("u", "a", 7), ("u", "a", 7), ("u", "a", 6)])
    assert merge_events(log, np.array([1, 2, 4], np.float32), "last").weight.tolist() == [2.0]


def test_last_needs_times(make_log):
    log = make_log(ROWS, timed=False)
    with pytest.raises(ConfigError, match=r'prepare\.repeats = "last".*log\.timestamp'):
        merge_events(log, WEIGHT, "last")


def test_what_cancels_is_exactly_nothing(make_log):
    log = make_log([("u", "a")] * 3 + [("u", "b")] * 2)
    # In float32 0.1 + 0.2 - 0.3 is not 0.
    pairs = merge_events(log, np.array([0.1, 0.2, -0.3, 1.0, -0.75], np.float32))
    assert pairs.weight.tolist() == [0.0, 0.25]


@pytest.mark.parametrize("repeats", ["sum", "max", "last"])
def test_no_events_make_no_pairs(make_log, repeats):
    log = make_log([("u", "a", 1)]).select(np.zeros(1, bool))
    assert len(merge_events(log, np.zeros(0, np.float32), repeats)) == 0


@given(rows=many_rows, repeats=st.sampled_from(["sum", "max", "last"]))
@settings(max_examples=60, deadline=None)
def test_agrees_with_a_loop(make_log, rows, repeats):
    log = make_log(rows)
    slow = defaultdict(list)
    for user, item, time, value in rows:
        slow[user, item].append((time, value))
    merge = {
        "sum": lambda seen: sum(value for _, value in seen),
        "max": lambda seen: max(value for _, value in seen),
        "last": lambda seen: sorted(seen, key=lambda event: event[0])[-1][1],
    }[repeats]
    expected = [(pair, float(merge(seen)), len(seen)) for pair, seen in sorted(slow.items())]
    assert as_table(log, merge_events(log, log.value, repeats)) == expected


def test_runs():
    values = np.array([3, 3, 5, 1, 1, 1])
    assert run_starts(values).tolist() == [0, 2, 3]
    place, length = places_in_runs(values)
    assert place.tolist() == [0, 1, 0, 0, 1, 2]
    assert length.tolist() == [2, 2, 1, 3, 3, 3]
    assert run_starts(values[:0]).tolist() == []
    assert [part.tolist() for part in places_in_runs(values[:0])] == [[], []]
