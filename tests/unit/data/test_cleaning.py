"""From events to a matrix, with every removed row counted."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.config import PrepareConfig
from recsys.data.cleaning import CleaningSummary, build_history, build_matrix, clean
from recsys.data.event_weights import EventWeights
from recsys.errors import DataError

DAY = 86_400

signed_rows = st.lists(
    st.tuples(
        st.sampled_from("stuvw"), st.sampled_from("abcd"), st.integers(0, 400), st.sampled_from([-2, -1, 1, 2, 3])
    ),
    min_size=1,
    max_size=40,
)


def test_hand_worked(make_log, entries):
    log = make_log(
        [
            ("u", "a", 10 * DAY, 1, "view"),
            ("u", "a", 0, 1, "buy"),
            ("u", "b", 10 * DAY, 2, "view"),
            ("v", "a", 10 * DAY, 1, "view"),
            ("v", "b", 0, 4, "view"),
            ("w", "a", 10 * DAY, 1, "view"),
            *[("bot", item, 10 * DAY, 1, "view") for item in "abcde"],
        ]
    )
    prepare = PrepareConfig(min_user_items=2, max_user_events=4)
    matrix, summary = build_matrix(log, prepare, weights=EventWeights({"view": 1.0, "buy": 5.0}, half_life_days=10))
    assert entries(matrix) == {
        ("u", "a"): 3.5,
        ("u", "b"): 2.0,
        ("v", "a"): 1.0,
        ("v", "b"): 2.0,
    }
    assert summary == CleaningSummary(
        events_in=11,
        events_kept=5,
        entries=4,
        removed={"user_above_max_events": 5, "user_below_min_items": 1},
        n_users=2,
        n_items=2,
        n_folded_in=1,
        n_bots=1,
    )
    assert json.loads(json.dumps(summary.to_dict()))["removed"] == summary.removed


def test_users_outside_the_core_keep_their_history_of_its_items(make_log, entries):
    """v has one item, w only one that somebody else has; x has none of them, and the bot is left alone."""
    log = make_log(
        [
            *[(user, item, 10 * DAY, 2) for user in "tu" for item in "ab"],
            ("v", "a", 0, 4),
            ("v", "a", 10 * DAY, 1),
            ("w", "b", 10 * DAY, 1),
            ("w", "rare", 10 * DAY, 1),
            ("x", "only", 10 * DAY, 1),
            *[("bot", "a", 10 * DAY, 1)] * 4,
        ]
    )
    prepare = PrepareConfig(min_user_items=2, min_item_users=2, max_user_events=3)
    cleaned = clean(log, prepare, weights=EventWeights(half_life_days=10))
    assert cleaned.matrix.users.ids.to_pylist() == ["t", "u"]
    assert cleaned.folded_in.items.ids.to_pylist() == cleaned.matrix.items.ids.to_pylist() == ["a", "b"]
    assert entries(cleaned.folded_in) == {("v", "a"): 3.0, ("w", "b"): 1.0}
    summary = cleaned.summary
    assert (summary.n_folded_in, summary.n_bots, summary.n_without_history) == (2, 1, 1)


@given(signed_rows, st.integers(1, 3), st.integers(1, 3), st.sampled_from([None, 4]))
def test_every_user_is_trained_folded_in_or_counted_as_neither(make_log, rows, min_items, min_users, most):
    log, weights = make_log(rows), EventWeights(net=True)
    prepare = PrepareConfig(min_user_items=min_items, min_item_users=min_users, max_user_events=most)
    try:
        cleaned = clean(log, prepare, weights=weights)
    except DataError:
        return
    summary, folded = cleaned.summary, cleaned.folded_in
    assert summary.n_users + summary.n_folded_in + summary.n_bots + summary.n_without_history == len(log.users)
    assert not set(folded.users.ids.to_pylist()) & set(cleaned.matrix.users.ids.to_pylist())
    everybody = build_history(log, weights).over_items(cleaned.matrix.items)
    at, _ = build_history(log, weights).users.encode(folded.users.ids)
    np.testing.assert_array_equal(everybody[at].toarray(), folded.csr.toarray())


def test_id_maps_hold_only_what_remains_in_order(make_log):
    log = make_log([("z", "b"), ("z", "a"), ("m", "c"), ("a", "b"), ("a", "a")])
    matrix, _ = build_matrix(log, PrepareConfig(min_user_items=2), weights=EventWeights())
    assert matrix.users.ids.to_pylist() == ["a", "z"]
    assert matrix.items.ids.to_pylist() == ["a", "b"]


def test_bots_go_before_the_core_is_taken(make_log):
    # Without the bot item b has one user, so the core must be taken after the bot has gone.
    log = make_log([("bot", "a"), ("bot", "b"), ("bot", "b"), ("u", "a"), ("u", "b"), ("v", "a")])
    prepare = PrepareConfig(max_user_events=2, min_item_users=2)
    matrix, summary = build_matrix(log, prepare, weights=EventWeights())
    assert matrix.items.ids.to_pylist() == ["a"]
    assert summary.removed == {"user_above_max_events": 3, "item_below_min_users": 1}


def test_returns_are_subtracted_and_what_comes_to_nothing_goes(make_log, entries):
    log = make_log(
        [
            ("u", "a", 1, 5),
            ("u", "a", 2, -2),
            ("u", "b", 1, 2),
            ("u", "b", 2, -2),
            ("u", "c", 1, -4),
        ]
    )
    matrix, summary = build_matrix(log, PrepareConfig(), weights=EventWeights(net=True))
    assert entries(matrix) == {("u", "a"): 3.0}
    assert summary.removed == {"net_non_positive": 3}
    assert (summary.events_kept, summary.entries) == (2, 1)


def test_an_item_given_back_supports_nobody_in_the_core(make_log):
    log = make_log([("u", "a", 1, 1), ("u", "b", 1, 1), ("u", "b", 2, -1)])
    with pytest.raises(DataError, match=r"2 removed as net_non_positive.*1 removed as user_below_min_items"):
        build_matrix(log, PrepareConfig(min_user_items=2), weights=EventWeights(net=True))


def test_values_at_or_below_zero_need_net(make_log):
    with pytest.raises(DataError, match=r"value -2\.0.*log\.non_positive"):
        build_matrix(make_log([("u", "a", 0, -2)]), PrepareConfig(), weights=EventWeights())


def test_what_decayed_below_every_number_is_counted(make_log):
    log = make_log([("u", "a", 0), ("u", "b", 1000 * DAY)])
    matrix, summary = build_matrix(log, PrepareConfig(), weights=EventWeights(half_life_days=1))
    assert matrix.items.ids.to_pylist() == ["b"]
    assert summary.removed == {"decayed_away": 1}


def test_nothing_left_says_which_filter_took_what(make_log):
    log = make_log([("bot", "a"), ("bot", "b"), ("bot", "c"), ("u", "a"), ("v", "b")])
    with pytest.raises(DataError) as caught:
        build_matrix(log, PrepareConfig(max_user_events=2, min_user_items=2), weights=EventWeights())
    assert str(caught.value) == (
        "nothing is left of 5 events: 3 removed as user_above_max_events (prepare.max_user_events), "
        "2 removed as user_below_min_items (prepare.min_user_items)"
    )


def test_an_empty_log_is_refused(make_log):
    with pytest.raises(DataError, match="there are no events"):
        build_matrix(make_log([]), PrepareConfig(), weights=EventWeights())


def test_a_history_has_the_same_weights_and_no_bounds(make_log, entries):
    log = make_log([("u", "a", 0), ("u", "b", 10 * DAY), ("v", "a", 10 * DAY)])
    history = build_history(log, EventWeights(half_life_days=10, now=20 * DAY))
    assert entries(history) == {("u", "a"): 0.25, ("u", "b"): 0.5, ("v", "a"): 0.5}


def test_the_order_of_the_log_does_not_show(make_log):
    rng = np.random.default_rng(3)
    rows = [(f"u{rng.integers(9)}", f"i{rng.integers(9)}", int(rng.integers(99)), 1) for _ in range(200)]
    prepare = PrepareConfig(min_user_items=2, min_item_users=2)
    one, _ = build_matrix(make_log(rows), prepare, weights=EventWeights())
    other, _ = build_matrix(make_log(rows[::-1]), prepare, weights=EventWeights())
    assert one.users.ids.equals(other.users.ids)
    np.testing.assert_array_equal(one.csr.toarray(), other.csr.toarray())


def test_the_log_is_left_as_it_is(make_log):
    log = make_log([("u", "a", 0, 2), ("u", "a", 5, 3)])
    build_matrix(log, PrepareConfig(), weights=EventWeights(half_life_days=0.5))
    assert log.value.tolist() == [2, 3]


def test_a_summary_that_does_not_add_up_is_refused():
    with pytest.raises(DataError, match="do not add up"):
        CleaningSummary(events_in=5, events_kept=3, entries=2, removed={"decayed_away": 1}, n_users=1, n_items=1)


@given(
    rows=signed_rows,
    min_user_items=st.integers(1, 3),
    min_item_users=st.integers(1, 3),
    max_user_events=st.none() | st.integers(1, 20),
)
@settings(max_examples=80, deadline=None)
def test_every_event_is_kept_or_counted(make_log, rows, min_user_items, min_item_users, max_user_events):
    prepare = PrepareConfig(
        min_user_items=min_user_items,
        min_item_users=min_item_users,
        max_user_events=max_user_events,
    )
    try:
        matrix, summary = build_matrix(make_log(rows), prepare, weights=EventWeights(net=True, half_life_days=0.001))
    except DataError as error:
        assert "nothing is left" in str(error)
        return
    assert len(rows) == summary.events_in == summary.events_kept + sum(summary.removed.values())
    assert summary.entries == matrix.csr.nnz <= summary.events_kept
    assert np.diff(matrix.csr.indptr).min() >= min_user_items
    assert np.bincount(matrix.csr.indices, minlength=matrix.n_items).min() >= min_item_users
