"""Which events are trained on and which are held out."""

import numpy as np
import pytest

from recsys.config import EvaluateConfig
from recsys.data.splits.strategies import (
    split_by_time,
    split_events,
    split_held_out_users,
    split_last_items,
    split_pairs,
)
from recsys.errors import ConfigError, DataError


def rows_of(log):
    users, items = log.users.decode(log.user_idx), log.items.decode(log.item_idx)
    times = log.timestamp if log.timestamp is not None else [None] * len(log)
    return [(user, item, time) for user, item, time in zip(users, items, times, strict=True)]


def rng(seed=1):
    return np.random.default_rng(seed)


def test_in_time_the_cut_itself_is_held_out(make_log):
    log = make_log([("u", "a", 100), ("u", "b", 90), ("v", "a", 89), ("v", "b", 10)])
    cut = split_by_time(log, 10)
    assert (cut.at, cut.now) == (90, 90)
    assert rows_of(cut.train) == [("v", "a", 89), ("v", "b", 10)]
    assert rows_of(cut.holdout) == [("u", "a", 100), ("u", "b", 90)]


def test_in_time_needs_times(make_log):
    with pytest.raises(ConfigError, match=r"log\.timestamp"):
        split_by_time(make_log([("u", "a")]), 10)


@pytest.mark.parametrize(("holdout", "missing"), [("1000s", "train on"), ("-1s", "hold out")])
def test_an_empty_side_tells_the_span_of_the_log(make_log, holdout, missing):
    log = make_log([("u", "a", 86_400), ("u", "b", 86_460)])
    evaluate = EvaluateConfig().model_copy(update={"holdout": int(holdout[:-1])})
    with pytest.raises(DataError) as caught:
        split_events(log, evaluate, rng=rng())
    assert str(caught.value) == (
        f'evaluate.split = "temporal": no events to {missing}; '
        "the log holds 2 events from 1970-01-02T00:00:00 to 1970-01-02T00:01:00 UTC. "
        f"The last {holdout} of it are held out: set evaluate.holdout to less"
    )


def test_a_log_of_users_with_one_item_each_says_what_last_n_needs(make_log):
    log = make_log([("u", "a", 1), ("v", "b", 2)])
    with pytest.raises(DataError, match=r"hold out; .*more than evaluate\.last_n = 1 items .*, and none has"):
        split_events(log, EvaluateConfig(split="last_n"), rng=rng())


def test_an_empty_log_is_refused(make_log):
    with pytest.raises(DataError, match="no events"):
        split_events(make_log([]), EvaluateConfig(split="last_n"), rng=rng())


def test_last_items_go_with_all_their_events(make_log):
    log = make_log(
        [
            ("u", "a", 9),
            ("u", "b", 5),
            ("u", "a", 1),
            ("u", "c", 3),
            ("v", "a", 7),
        ]
    )
    cut = split_last_items(log, 1)
    assert rows_of(cut.holdout) == [("u", "a", 9), ("u", "a", 1)]
    assert rows_of(cut.train) == [("u", "b", 5), ("u", "c", 3), ("v", "a", 7)]
    assert cut.too_few_items == 1
    assert cut.at is None


def test_last_items_of_equal_times_go_by_the_order_of_the_log(make_log):
    rows = [("u", "b", 5), ("u", "c", 5), ("u", "a", 5)]
    assert rows_of(split_last_items(make_log(rows), 1).holdout) == [("u", "a", 5)]
    assert rows_of(split_last_items(make_log(rows, timed=False), 1).holdout) == [("u", "a", None)]
    assert rows_of(split_last_items(make_log(rows), 2).holdout) == [("u", "c", 5), ("u", "a", 5)]


def test_giving_an_item_back_does_not_make_it_the_last(make_log):
    log = make_log([("u", "a", 1, 1.0), ("u", "b", 2, 1.0), ("u", "a", 3, -1.0), ("v", "a", 1, -1.0)])
    cut = split_last_items(log, 1)
    assert rows_of(cut.holdout) == [("u", "b", 2)]
    assert cut.too_few_items == 1


def test_users_with_n_items_or_fewer_stay_in_train(make_log):
    log = make_log([("u", "a", 1), ("u", "b", 2), ("v", "a", 1), ("v", "b", 2), ("v", "c", 3)])
    cut = split_last_items(log, 2)
    assert {user for user, _, _ in rows_of(cut.holdout)} == {"v"}
    assert cut.too_few_items == 1


def test_held_out_users_are_never_trained_on(make_log):
    log = make_log([(f"u{user}", f"i{item}", item) for user in range(10) for item in range(10)])
    cut = split_held_out_users(log, user_share=0.3, item_share=0.2, rng=rng())
    drawn = {user for user, _, _ in rows_of(cut.holdout)}
    assert len(drawn) == 3
    assert drawn.isdisjoint({user for user, _, _ in rows_of(cut.train)})
    assert drawn == {user for user, _, _ in rows_of(cut.history)}
    assert (len(cut.train), len(cut.holdout), len(cut.history)) == (70, 6, 24)
    assert not set(rows_of(cut.holdout)) & set(rows_of(cut.history))


@pytest.mark.parametrize(
    ("n_items", "item_share", "n_held"), [(2, 0.01, 1), (2, 0.99, 1), (5, 0.5, 2), (100, 0.29, 29)]
)
def test_of_each_held_out_user_at_least_one_item_and_never_all(make_log, n_items, item_share, n_held):
    log = make_log([(user, f"i{item}") for user in "uv" for item in range(n_items)])
    assert len(split_held_out_users(log, user_share=0.5, item_share=item_share, rng=rng()).holdout) == n_held


def test_held_out_items_go_with_all_their_events(make_log):
    log = make_log([(user, item, time) for user in "uv" for item in "abc" for time in (1, 2, 3)])
    cut = split_held_out_users(log, user_share=0.5, item_share=0.3, rng=rng())
    assert len({item for _, item, _ in rows_of(cut.holdout)}) == 1
    assert len(cut.holdout) == 3


def test_a_held_out_user_with_one_item_is_counted(make_log):
    log = make_log([("u", "a"), ("v", "a")])
    cut = split_held_out_users(log, user_share=0.5, item_share=0.5, rng=rng())
    assert (cut.too_few_items, len(cut.holdout), len(cut.train)) == (1, 0, 1)


def test_an_item_that_was_only_given_back_is_not_held_out(make_log):
    log = make_log([(user, item, 0, value) for user in "uv" for item, value in (("a", 1), ("b", -1))])
    cut = split_held_out_users(log, user_share=0.5, item_share=0.5, rng=rng())
    assert (cut.too_few_items, len(cut.holdout), len(cut.history)) == (1, 0, 2)


def test_someone_is_always_left_to_train_on(make_log):
    log = make_log([(user, item) for user in "uv" for item in "ab"])
    assert len(split_held_out_users(log, user_share=0.99, item_share=0.5, rng=rng()).train) == 2
    alone = EvaluateConfig(split="held_out_users")
    with pytest.raises(DataError, match="no events to hold out; the log holds 1 events"):
        split_events(make_log([("u", "a")]), alone, rng=rng())


def test_held_out_users_do_not_depend_on_the_order_of_the_log(make_log):
    rows = [(f"u{user}", f"i{item}", 0) for user in range(20) for item in range(5)]
    cuts = [
        split_held_out_users(make_log(order), user_share=0.3, item_share=0.4, rng=rng())
        for order in (rows, rows[::-1])
    ]
    assert sorted(rows_of(cuts[0].holdout)) == sorted(rows_of(cuts[1].holdout))
    other = split_held_out_users(make_log(rows), user_share=0.3, item_share=0.4, rng=rng(2))
    assert sorted(rows_of(other.holdout)) != sorted(rows_of(cuts[0].holdout))


def test_given_needs_its_events(make_log):
    evaluate = EvaluateConfig(split="given", holdout_paths=("test.csv",))
    with pytest.raises(ConfigError, match=r"evaluate\.holdout_paths"):
        split_events(make_log([("u", "a")]), evaluate, rng=rng())


def test_pairs_are_drawn_from_every_user_and_nobody_is_left_with_nothing(make_log):
    log = make_log([("u", f"i{n:02}") for n in range(20)] + [("v", "a"), ("v", "a"), ("v", "b"), ("w", "a")])
    cut = split_pairs(log, item_share=0.1, rng=rng())
    held = [user for user, _, _ in rows_of(cut.holdout)]
    assert held.count("u") == 2
    assert {item for user, item, _ in rows_of(cut.holdout) if user == "v"} < {"a", "b"}
    assert "w" not in held
    assert cut.too_few_items == 1
    assert cut.history is None
    assert sorted(rows_of(cut.train) + rows_of(cut.holdout)) == sorted(rows_of(log))
    assert not {row[:2] for row in rows_of(cut.train)} & {row[:2] for row in rows_of(cut.holdout)}


def test_pairs_are_drawn_by_the_seed_alone(make_log):
    rows = [(f"u{n % 7}", f"i{n}") for n in range(70)]
    first = split_pairs(make_log(rows), item_share=0.3, rng=rng())
    again = split_pairs(make_log(rows[::-1]), item_share=0.3, rng=rng())
    assert sorted(rows_of(first.holdout)) == sorted(rows_of(again.holdout))
    other = split_pairs(make_log(rows), item_share=0.3, rng=rng(2))
    assert sorted(rows_of(first.holdout)) != sorted(rows_of(other.holdout))
