"""What a model may learn from, and what it is then asked to predict."""

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from recsys.config import EvaluateConfig, PrepareConfig
from recsys.data.event_weights import EventWeights
from recsys.data.id_map import IdMap
from recsys.data.matrix import InteractionMatrix
from recsys.data.splits.split import Split, make_split
from recsys.data.splits.strategies import split_events
from recsys.errors import DataError

SPLITS = ["temporal", "last_n", "held_out_users", "given"]


def random_rows(seed, n):
    """Ids that every side of a split has some of, and some that only one has."""
    rng = np.random.default_rng(seed)
    users, items, times = rng.integers(0, 9, n), rng.integers(0, 9, n) ** 2 // 9, rng.integers(0, 100, n)
    values = rng.choice([-1.0, 1.0, 1.0, 2.0], n)
    return [(f"u{u}", f"i{i}", int(t), v) for u, i, t, v in zip(users, items, times, values, strict=True)]


def split_of(log, evaluate, prepare=None, *, given=None):
    """make_split with the bounds and the half-life of `prepare`; values below zero are returns."""
    prepare = prepare or PrepareConfig()
    weights = EventWeights(half_life_days=prepare.half_life_days, net=True)
    return make_split(log, evaluate, prepare=prepare, weights=weights, given=given)


def config(split, **settings):
    return EvaluateConfig(split=split, **{"holdout": 30, **settings}, **_PATHS.get(split, {}))


_PATHS = {"given": {"holdout_paths": ("test.csv",)}}


def listed(split, part):
    """{(user, item)} of one of the evaluated matrices, by external ids."""
    coo = getattr(split, part).tocoo()
    users = split.user_ids.to_pylist()
    return {(users[row], item) for row, item in zip(coo.row, split.train.items.decode(coo.col), strict=True)}


def pairs_of(log):
    """{(user, item)} of events, by external ids."""
    return set(zip(log.users.decode(log.user_idx), log.items.decode(log.item_idx), strict=True))


def test_temporal_hand_worked(make_log):
    log = make_log(
        [
            *[("u", item, 1) for item in "abc"],
            *[("v", item, 2) for item in "ac"],
            *[("w", item, 3) for item in "ab"],
            ("lone", "z", 4),
            # the cut, at 10
            ("u", "a", 10),  # already seen
            ("v", "b", 11),  # to be found
            ("v", "b", 12),  # the same pair
            ("new", "a", 13),  # a user whom training did not see
            ("u", "d", 14),  # an item that training did not see
            ("lone", "a", 15),  # a user whom cleaning left out
            ("v", "z", 20),  # an item that cleaning left out
        ]
    )
    split = split_of(log, config("temporal", holdout=10), PrepareConfig(min_item_users=2, min_user_items=2))
    assert split.cut == 10
    assert split.train.users.ids.to_pylist() == ["u", "v", "w"]
    assert split.train.items.ids.to_pylist() == ["a", "b", "c"]
    assert listed(split, "holdout") == {("v", "b")}
    assert listed(split, "queries_history") == {("v", "a"), ("v", "c")}
    assert split.train.users.decode(split.user_idx) == split.user_ids.to_pylist() == ["v"]
    reasons = ["new_user", "user_not_trained", "new_item", "item_not_trained", "already_seen"]
    assert split.dropped == dict.fromkeys(reasons, 1)
    assert split.dropped_users == {"new_user": 1, "user_not_trained": 1, "already_seen": 1}
    assert split.counts == {
        "n_train_events": 8,
        "n_train_users": 3,
        "n_train_items": 3,
        "n_new_items": 0,
        "n_train_entries": 7,
        "n_holdout_events": 7,
        "n_holdout_pairs": 6,
        "n_holdout_users": 4,
        "n_holdout_entries": 1,
        "n_eval_users": 1,
    }


def test_new_items_are_measured_if_asked_for(make_log):
    rows = [("u", "a", 1), ("u", "c", 1), ("v", "a", 2), ("v", "c", 2), ("v", "z", 3)]
    late = [("u", "b", 10), ("v", "d", 11), ("v", "b", 12), ("new", "e", 13), ("u", "z", 13)]
    prepare = PrepareConfig(min_item_users=2)
    split = split_of(make_log([*rows, *late]), config("temporal", holdout=4, new_items="measure"), prepare)
    assert split.train.items.ids.to_pylist() == ["a", "b", "c", "d", "e"]
    assert split.train.item_degree.tolist() == [2, 0, 2, 0, 0]
    assert listed(split, "holdout") == {("u", "b"), ("v", "b"), ("v", "d")}
    assert split.dropped == {"new_user": 1, "item_not_trained": 1}
    assert (split.counts["n_train_items"], split.counts["n_new_items"]) == (2, 3)


def test_the_history_of_a_held_out_user_has_no_new_item(make_log):
    rows = [(f"u{user}", f"i{item}") for user in range(8) for item in range(4)]
    own = [(f"u{user}", f"own{user}-{number}") for user in range(8) for number in range(4)]
    evaluate = config("held_out_users", user_share=0.2, item_share=0.5, new_items="measure")
    split = split_of(make_log([*rows, *own]), evaluate)
    assert split.counts["n_new_items"] > 0
    assert {item for _, item in listed(split, "queries_history")} <= {f"i{item}" for item in range(4)}
    assert any(item.startswith("own") for _, item in listed(split, "holdout"))


def test_decay_starts_at_the_cut(make_log, entries):
    day = 86_400
    log = make_log([("u", "a", 0), ("v", "b", 10 * day), ("u", "b", 20 * day)])
    split = split_of(log, config("temporal", holdout=10 * day - 1), PrepareConfig(half_life_days=10))
    assert split.cut == 10 * day + 1
    assert entries(split.train) == pytest.approx({("u", "a"): 0.5, ("v", "b"): 1.0}, rel=1e-4)


def test_last_n(make_log):
    log = make_log([("u", "a", 1), ("u", "b", 2), ("v", "b", 1), ("v", "a", 2), ("w", "a", 1)])
    split = split_of(log, config("last_n", last_n=1))
    assert listed(split, "holdout") == {("u", "b"), ("v", "a")}
    assert listed(split, "queries_history") == {("u", "a"), ("v", "b")}
    assert split.dropped_users == {"too_few_items": 1}
    assert split.counts["n_holdout_users"] == 3
    assert split.cut is None


def test_held_out_users_are_known_by_their_history_alone(make_log):
    log = make_log([(f"u{user}", f"i{item}", 0, 1 + item) for user in range(10) for item in range(5)])
    split = split_of(log, config("held_out_users", user_share=0.2, item_share=0.4))
    assert split.user_idx is None
    assert len(split.user_ids) == 2
    assert set(split.user_ids.to_pylist()).isdisjoint(split.train.users.ids.to_pylist())
    history, holdout = split.queries_history.toarray(), split.holdout.toarray()
    # Weighed as in training: item i counts 1 + i.
    np.testing.assert_array_equal(history + holdout * [1, 2, 3, 4, 5], [[1, 2, 3, 4, 5]] * 2)
    np.testing.assert_array_equal(holdout.sum(axis=1), [2, 2])


def test_held_out_users_are_not_cleaned_away(make_log):
    rows = [(f"u{user}", f"i{item}") for user in range(10) for item in range(5)]
    # Training needs ten users an item, and has nine.
    with pytest.raises(DataError, match="item_below_min_users"):
        split_of(make_log(rows), config("held_out_users"), PrepareConfig(min_item_users=10))
    # Four items of history are fewer than the bound for training.
    split = split_of(make_log(rows), config("held_out_users"), PrepareConfig(min_user_items=5))
    assert split.counts["n_eval_users"] == 1


def test_a_held_out_user_of_untrained_items_has_no_history(make_log):
    log = make_log([("u", item) for item in "abcd"] + [("v", item) for item in "wxyz"])
    with pytest.raises(DataError, match=r"nothing is left to evaluate.*1 because .* \(no_history\)"):
        split_of(log, config("held_out_users"))


def test_given_ids_are_matched_as_strings(make_log):
    log = make_log([("u", "a"), ("u", "c"), ("v", "b"), ("v", "c")])
    test = make_log([("0", "a"), ("v", "a"), ("u", "b"), ("u", "c"), ("v", "0")])
    split = split_of(log, config("given"), given=test)
    assert listed(split, "holdout") == {("v", "a"), ("u", "b")}
    assert split.dropped == {"new_user": 1, "new_item": 1, "already_seen": 1}


def test_returned_items_are_not_relevant(make_log):
    log = make_log([("u", "a", 1, 1), ("v", "b", 1, 1), ("v", "c", 1, 1)])
    test = make_log([("u", "b", 2, 1), ("u", "b", 3, -1), ("u", "c", 2, -1)])
    split = split_of(log, config("given"), given=test)
    assert listed(split, "holdout") == {("u", "b")}
    assert split.dropped == {"not_positive": 1}
    np.testing.assert_array_equal(split.holdout.data, [1])


def test_a_sample_of_the_users(make_log):
    log = make_log(
        [(f"u{user:02}", item, time) for user in range(30) for time, item in enumerate(("abc", "cba")[user % 2])]
    )
    whole = split_of(log, config("last_n"))
    some = split_of(log, config("last_n", max_users=7, seed=3))
    again = split_of(log, config("last_n", max_users=7, seed=3))
    others = split_of(log, config("last_n", max_users=7, seed=4))
    assert (some.counts["n_eval_users"], some.dropped) == (7, {"sampled_out": 23})
    assert some.dropped_users == {"sampled_out": 23}
    assert listed(some, "holdout") < listed(whole, "holdout")
    assert some.user_ids.equals(again.user_ids)
    assert not some.user_ids.equals(others.user_ids)
    assert some.train.n_users == 30


def test_nothing_to_evaluate_says_why(make_log):
    log = make_log([("u", "a", 0), ("v", "b", 100)])
    with pytest.raises(
        DataError, match=r"nothing is left to evaluate.*1 because the user has no train event \(new_user\)"
    ):
        split_of(log, config("temporal"))


@pytest.mark.parametrize("kind", SPLITS)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(30, 100),
    least=st.integers(1, 3),
    max_users=st.sampled_from([None, 2]),
)
@settings(max_examples=40, deadline=None)
def test_nothing_leaks_and_all_is_counted(make_log, kind, seed, n, least, max_users):
    log, test = make_log(random_rows(seed, n)), make_log(random_rows(seed + 1, n))
    prepare = PrepareConfig(min_user_items=least, half_life_days=0.001)
    evaluate = config(kind, seed=seed, max_users=max_users, user_share=0.4, item_share=0.4)
    given = test if kind == "given" else None

    def split_once():
        return split_of(log, evaluate, prepare, given=given)

    try:
        split = split_once()
    except DataError:
        reject()
    train_events = split_events(log, evaluate, rng=np.random.default_rng(seed), given=given).train
    check_train_side(split, train_events)
    check_queries(split)
    check_counts(split)
    held = listed(split, "holdout")
    assert held <= {(user, item) for user, item, _, value in random_rows(seed + (kind == "given"), n) if value > 0}
    assert kind in ("temporal", "given") or not held & pairs_of(train_events)
    again = split_once()
    assert split.user_ids.equals(again.user_ids)
    np.testing.assert_array_equal(split.holdout.toarray(), again.holdout.toarray())


def check_train_side(split, train_events):
    """Training and its id maps know of train events alone."""
    if split.cut is not None:
        assert train_events.timestamp.max() < split.cut
    users, items = (set(ids) for ids in zip(*pairs_of(train_events), strict=True))
    assert set(split.train.users.ids.to_pylist()) <= users
    assert set(split.train.items.ids.to_pylist()) <= items
    if split.user_idx is None:
        assert users.isdisjoint(split.user_ids.to_pylist())


def check_queries(split):
    """Every row has a history and something to find outside it."""
    assert not listed(split, "holdout") & listed(split, "queries_history")
    assert np.diff(split.queries_history.indptr).min() > 0
    assert np.diff(split.holdout.indptr).min() > 0
    if split.user_idx is not None:
        np.testing.assert_array_equal(split.queries_history.toarray(), split.train.csr[split.user_idx].toarray())
        assert split.train.users.decode(split.user_idx) == split.user_ids.to_pylist()


def check_counts(split):
    """Every pair and every user of the holdout is evaluated or counted."""
    counts = split.counts
    assert counts["n_holdout_pairs"] == counts["n_holdout_entries"] + sum(split.dropped.values())
    assert counts["n_holdout_users"] == counts["n_eval_users"] + sum(split.dropped_users.values())
    assert (counts["n_eval_users"], counts["n_holdout_entries"]) == (len(split.user_ids), split.holdout.nnz)


def made(**changed):
    train = InteractionMatrix(IdMap.of(["u"])[0], IdMap.of(["a", "b"])[0], sp.csr_matrix(np.float32([[1, 0]])))
    parts = {
        "train": train,
        "queries_history": train.csr,
        "user_idx": np.zeros(1, np.int32),
        "user_ids": pa.array(["u"]),
        "holdout": sp.csr_matrix(np.float32([[0, 1]])),
        "counts": {"n_holdout_pairs": 2, "n_holdout_entries": 1, "n_holdout_users": 1, "n_eval_users": 1},
        "dropped": {"new_item": 1},
    }
    return Split(**parts | changed)


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"holdout": sp.csr_matrix(np.float32([[1, 1]]))}, "same user's list leaves out"),
        ({"queries_seen": sp.csr_matrix(np.float32([[0, 1]]))}, "same user's list leaves out"),
        ({"queries_seen": sp.csr_matrix(np.float32([[0]]))}, r"split\.queries_seen: shape"),
        ({"holdout": sp.csr_matrix(np.float32([[0, 0]]))}, "no relevant item"),
        ({"holdout": sp.csr_matrix(np.float32([[0, 1, 1]]))}, r"split\.holdout: shape"),
        ({"queries_history": sp.csr_matrix((2, 2), dtype=np.float32)}, r"split\.queries_history: shape"),
        ({"dropped": {}}, "n_holdout_pairs 2"),
        ({"dropped_users": {"new_user": 1}}, "n_holdout_users 1"),
    ],
)
def test_a_split_that_does_not_hold_together_is_refused(changed, complaint):
    made()
    with pytest.raises(DataError, match=complaint):
        made(**changed)


AGAIN = [
    *[("u", item, 1, 1.0, "view") for item in "ab"],
    ("u", "b", 2, 1.0, "buy"),
    *[("v", item, 3, 1.0, "buy") for item in "ab"],
    *[("u", item, 9, 1.0, "buy") for item in "ab"],
]


def again(make_log, *, seen_kinds=(), **settings):
    evaluate = EvaluateConfig(holdout=5, **settings)
    return make_split(make_log(AGAIN), evaluate, prepare=PrepareConfig(), weights=EventWeights(seen_kinds=seen_kinds))


def test_a_seen_item_is_relevant_if_lists_may_hold_seen_items(make_log):
    split = again(make_log, exclude_seen=False)
    assert listed(split, "holdout") == {("u", "a"), ("u", "b")}
    assert listed(split, "queries_history") == {("u", "a"), ("u", "b")}
    assert split.left_out.nnz == 0
    assert split.dropped == {}
    with pytest.raises(DataError, match="2 because the user had seen the item"):
        again(make_log)


def test_only_the_kinds_that_say_so_make_an_item_seen(make_log):
    split = again(make_log, seen_kinds=("buy",))
    assert listed(split, "holdout") == {("u", "a")}
    assert listed(split, "left_out") == {("u", "b")}
    assert listed(split, "queries_history") == {("u", "a"), ("u", "b")}
    assert split.dropped == {"already_seen": 1}


def test_held_out_users_are_known_by_all_kinds_and_have_seen_some(make_log):
    rows = [(user, item, 1, 1.0, "buy" if item == "a" else "view") for user in "uvwx" for item in "abcdef"]
    evaluate = EvaluateConfig(split="held_out_users", user_share=0.25)
    split = make_split(make_log(rows), evaluate, prepare=PrepareConfig(), weights=EventWeights(seen_kinds=("buy",)))
    assert split.queries_history.nnz == 5
    assert listed(split, "left_out") <= {(split.user_ids[0].as_py(), "a")}
