"""Bots and k-cores."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data.cleaning import k_core, within_max_events
from recsys.data.pairs import Pairs, merge_events

pair_sets = st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=40)


def pairs_of(found, n_events=None):
    table = np.array(sorted(found), np.int32).reshape(-1, 2)
    n_events = np.ones(len(table), np.int32) if n_events is None else np.array(n_events, np.int32)
    return Pairs(table[:, 0], table[:, 1], np.ones(len(table), np.float32), n_events)


def as_set(pairs):
    return set(zip(pairs.user_idx.tolist(), pairs.item_idx.tolist(), strict=True))


def slow_core(found, min_user_items, min_item_users):
    while True:
        kept = {
            (user, item)
            for user, item in found
            if sum(other == user for other, _ in found) >= min_user_items
            and sum(other == item for _, other in found) >= min_item_users
        }
        if kept == found:
            return kept
        found = kept


def test_users_within_the_bound_count_events_not_items(make_log):
    log = make_log([("bot", "a")] * 3 + [("u", "a"), ("u", "b")])
    assert within_max_events(log.user_idx, 2).tolist() == [False, False, False, True, True]
    assert within_max_events(log.user_idx, 3).all()


def test_falls_like_dominoes():
    # A path u0-i0-u1-i1-u2: each removal takes the next one's last support.
    path = pairs_of({(0, 0), (1, 0), (1, 1), (2, 1)})
    core, removed = k_core(path, min_user_items=2, min_item_users=2)
    assert len(core) == 0
    assert removed == {"user_below_min_items": 2, "item_below_min_users": 2}


def test_a_square_stands_beside_the_path():
    square = {(5, 5), (5, 6), (6, 5), (6, 6)}
    core, removed = k_core(pairs_of(square | {(0, 0), (0, 5), (7, 6)}), min_user_items=2, min_item_users=2)
    assert as_set(core) == square
    # User 7 has one item; item 0 then has one user, after which user 0 has one item.
    assert removed == {"user_below_min_items": 2, "item_below_min_users": 1}


def test_removals_are_counted_in_events():
    pairs = pairs_of({(0, 0), (1, 0), (1, 1)}, n_events=[5, 1, 1])
    core, removed = k_core(pairs, min_user_items=2, min_item_users=1)
    assert as_set(core) == {(1, 0), (1, 1)}
    assert removed == {"user_below_min_items": 5, "item_below_min_users": 0}


def test_repeats_are_no_second_item(make_log):
    log = make_log([("u", "a")] * 4)
    core, removed = k_core(merge_events(log, log.value), min_user_items=2, min_item_users=1)
    assert len(core) == 0
    assert removed["user_below_min_items"] == 4


@given(found=pair_sets, min_user_items=st.integers(1, 4), min_item_users=st.integers(1, 4))
@settings(max_examples=80, deadline=None)
def test_agrees_with_a_loop(found, min_user_items, min_item_users):
    core, removed = k_core(pairs_of(found), min_user_items=min_user_items, min_item_users=min_item_users)
    assert as_set(core) == slow_core(found, min_user_items, min_item_users)
    assert len(core) + sum(removed.values()) == len(found)
