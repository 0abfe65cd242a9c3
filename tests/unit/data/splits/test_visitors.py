"""What is known of a visitor, and what is to be found: never an event that a model was trained on."""

import numpy as np
import pytest

from recsys.config import EvaluateConfig, PrepareConfig
from recsys.data.event_weights import EventWeights
from recsys.data.splits.sessions import distinct_items, in_order, session_of
from recsys.data.splits.split import make_split
from recsys.data.splits.visitors import visitors_of

MINUTE, HOUR = 60, 3_600
TRAIN = [(user, item, 0) for user in ("t", "u", "v") for item in "abcdef"]


def visitors_in(log, *, given=None, weights=None, prepare=None, **settings):
    """{number of known items: {(known ids, ids to be found)}} of every visitor."""
    if settings.get("split") == "given":
        settings["holdout_paths"] = ("test.csv",)
    evaluate, prepare, weights = EvaluateConfig(**settings), prepare or PrepareConfig(), weights or EventWeights()
    split = make_split(log, evaluate, prepare=prepare, weights=weights, given=given)
    found = visitors_of(log, split, evaluate, weights=weights, given=given)
    ids = split.train.items
    return {
        each.n_known: sorted(
            ("".join(ids.decode(known.indices)), "".join(ids.decode(rest.indices)))
            for known, rest in zip(each.history, each.relevant, strict=True)
        )
        for each in found
    }


def test_the_first_session_of_the_holdout_with_two_items(make_log):
    later = [
        *[("u", "b", 1000 * MINUTE), ("u", "a", 1000 * MINUTE + 1), ("u", "a", 1000 * MINUTE + 2)],
        *[("u", "f", 1031 * MINUTE), ("u", "x", 1031 * MINUTE)],
        ("v", "c", 1000 * MINUTE),
        *[("v", item, (1100 + at) * MINUTE) for at, item in enumerate("fedc")],
    ]
    assert visitors_in(make_log([*TRAIN, *later]), holdout="10h", exclude_seen=False) == {
        1: [("b", "a"), ("f", "cde")],
        2: [("ef", "cd")],
        3: [("def", "c")],
    }
    longer = visitors_in(make_log([*TRAIN, *later]), holdout="10h", exclude_seen=False, session_gap="40m")
    assert longer[2] == [("ab", "f"), ("ef", "cd")]
    assert visitors_in(make_log([*TRAIN, *later]), holdout="10h", exclude_seen=False, visitors=0) == {}


def test_lists_leave_out_what_is_known_unless_seen_items_are_measured(make_log):
    log = make_log([*TRAIN, *[("u", item, 1000 * MINUTE) for item in "abc"], ("n", "a", 0)])
    for exclude_seen, n in ((True, 1), (False, 0)):
        evaluate = EvaluateConfig(holdout="1h", exclude_seen=False)
        split = make_split(log, evaluate, prepare=PrepareConfig(), weights=EventWeights())
        asked = evaluate.model_copy(update={"exclude_seen": exclude_seen})
        (first, *_) = visitors_of(log, split, asked, weights=EventWeights())
        assert first.left_out.nnz == n


def test_known_items_weigh_as_in_training_and_nothing_decays(make_log):
    rows = [(*row, 1.0, "view") for row in TRAIN]
    rows += [("u", "a", 1000 * MINUTE, 2.0, "buy"), ("u", "b", 1001 * MINUTE, 1.0, "view")]
    rows += [("u", "c", 999 * MINUTE, -1.0, "buy")]
    log = make_log(rows)
    weights = EventWeights({"view": 1.0, "buy": 5.0}, half_life_days=0.1)
    evaluate = EvaluateConfig(holdout="1h", exclude_seen=False)
    split = make_split(log, evaluate, prepare=PrepareConfig(), weights=weights)
    (first,) = visitors_of(log, split, evaluate, weights=weights)
    assert first.history.data.tolist() == [10.0]
    assert split.train.items.decode(first.relevant.indices) == ["b"]


def test_held_out_users_are_visitors_with_all_their_events(make_log):
    rows = [(f"u{user}", item, 40 * MINUTE * (item == "d")) for user in range(6) for item in "abcd"]
    found = visitors_in(make_log(rows), split="held_out_users", user_share=0.2)
    assert found == {1: [("a", "bc")], 2: [("ab", "c")]}


def test_a_given_holdout_without_times_is_one_session_in_a_random_order(make_log):
    log, given = make_log([row[:2] for row in TRAIN]), make_log([("w", item) for item in "abcdef"] + [("u", "x")])
    settings = {"split": "given", "exclude_seen": False}
    log = make_log([row[:2] for row in TRAIN] + [("w", "a")])
    found = [visitors_in(log, given=given, seed=seed, **settings) for seed in range(8)]
    for each in found:
        for n, [(known, rest)] in each.items():
            assert len(known) == n and sorted(known + rest) == list("abcdef")
    assert len({each[1][0][0] for each in found}) > 1
    assert visitors_in(log, given=given, seed=3, **settings) == found[3]


@pytest.mark.parametrize("timed", [True, False])
def test_of_last_items_those_just_before_are_known(make_log, timed):
    rows = [("u", item, at) for at, item in enumerate("abcdef")] + [("v", item, at) for at, item in enumerate("fe")]
    log = make_log([*rows, *[("w", item, 0) for item in "abcdef"], ("v", "e", 9)], timed=timed)
    found = visitors_in(log, split="last_n")
    assert [found[n] for n in (1, 2, 3)] == [
        sorted([("e", "f"), ("f", "e"), ("e", "f")]),
        sorted([("de", "f"), ("de", "f")]),
        sorted([("cde", "f"), ("cde", "f")]),
    ]


def test_people_are_drawn_by_the_seed(make_log):
    later = [(f"u{user}", item, 1000 * MINUTE) for user in range(30) for item in "ab"]
    log = make_log([*TRAIN, *[(f"u{user}", "f", 0) for user in range(30)], *later])
    drawn = []
    for seed in (1, 1, 2):
        evaluate = EvaluateConfig(holdout="1h", visitors=7, seed=seed)
        split = make_split(log, evaluate, prepare=PrepareConfig(), weights=EventWeights())
        (first,) = visitors_of(log, split, evaluate, weights=EventWeights())
        drawn.append(first.history.shape[0])
    assert drawn == [7, 7, 7]


def test_sessions_of_users_without_times_are_not_cut(make_log):
    log = in_order(make_log([("u", "a"), ("v", "b"), ("u", "c")]), np.random.default_rng(1))
    assert session_of(log, 1).tolist() == [0, 0, 1]


def test_items_that_training_lacks_are_no_part_of_a_session(make_log):
    log = make_log([*TRAIN, ("u", "x", 1000 * MINUTE)])
    split = make_split(
        make_log([*TRAIN, ("u", "f", 1000 * MINUTE), ("z", "f", 0)]),
        EvaluateConfig(holdout="1h", exclude_seen=False),
        prepare=PrepareConfig(),
        weights=EventWeights(),
    )
    ordered = in_order(log)
    sessions = distinct_items(ordered, session_of(ordered, 60), split.train, EventWeights())
    assert len(sessions) == 3
    assert sessions.lengths.tolist() == [6, 6, 6]


def test_few_sessions_are_cut_at_longer_pauses(make_log):
    users = [f"u{user:03}" for user in range(130)]
    rows = [(user, "f", 0) for user in users] + [("t", item, 0) for item in "abcdef"]
    apart = {
        at: [(user, item, 100 * HOUR + at * place) for user in users for place, item in enumerate("abc")]
        for at in (HOUR // 4, 2 * HOUR, 30 * HOUR)
    }
    for hours, gap in ((HOUR // 4, 1_800), (2 * HOUR, 86_400), (30 * HOUR, 7 * 86_400)):
        log = make_log([*rows, *apart[hours]])
        evaluate = EvaluateConfig(holdout="70h")
        split = make_split(log, evaluate, prepare=PrepareConfig(), weights=EventWeights())
        first, second = visitors_of(log, split, evaluate, weights=EventWeights())
        assert (first.session_gap, first.history.shape[0]) == (gap, 130)
        assert second.relevant.nnz == 130
