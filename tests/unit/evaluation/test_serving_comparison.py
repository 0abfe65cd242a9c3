import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from recsys.config import EvaluateConfig
from recsys.evaluation.serving_comparison import (
    MIN_SHARED_USERS,
    ServingVersion,
    compare_with_serving,
    coverage_difference,
    protocol_changes,
)
from recsys.evaluation.significance import paired_difference
from recsys.retrieval.topk import PAD

EVALUATE = EvaluateConfig(holdout="28d", cutoffs=(20,), bootstrap=40, seed=3)
RNG = np.random.default_rng(0)


def _compare(now, before):
    return compare_with_serving(now, ServingVersion("v1", {"ndcg@20": 0.1}, before), EVALUATE)


def test_users_are_paired_by_id_and_those_of_one_version_alone_do_not_count(record_of):
    values = RNG.random(300).astype(np.float32)
    now = record_of({"ndcg@20": values[:250]})
    before = record_of({"ndcg@20": values[100:]}, first=100)
    result = _compare(now, before)
    assert result.n_shared == 150
    assert now.users.ids.take(result.rows_now) == before.users.ids.take(result.rows_before)
    paired = result.paired["ndcg@20"]
    assert paired.difference == (0, 0, 0)
    assert paired.before == pytest.approx(values[100:250].mean())
    assert result.not_paired is None


def test_the_difference_is_new_minus_old_with_its_paired_interval(record_of):
    old, new = RNG.random((2, 200)).astype(np.float32)
    result = _compare(record_of({"ndcg@20": new, "mrr@20": new}), record_of({"recall@20": old, "ndcg@20": old}))
    assert [name for name in result.paired if not name.startswith("coverage")] == ["ndcg@20"]
    expected = paired_difference(
        new.astype(np.float64), old.astype(np.float64), samples=40, confidence=0.95, rng=np.random.default_rng(3)
    )
    assert_allclose(result.paired["ndcg@20"].difference, expected, rtol=1e-12)
    assert expected.low < expected.mean < expected.high


def test_too_few_shared_users_are_not_paired(record_of):
    values = np.zeros(MIN_SHARED_USERS)
    enough = _compare(record_of({"ndcg@20": values}), record_of({"ndcg@20": values}))
    assert enough.paired
    few = _compare(record_of({"ndcg@20": values}), record_of({"ndcg@20": values}, first=1))
    assert (few.n_shared, few.paired) == (MIN_SHARED_USERS - 1, {})
    assert few.not_paired == "only 99 users were evaluated for both"


def test_a_version_without_a_record_is_not_paired(record_of):
    result = _compare(record_of({"ndcg@20": [0.5]}), None)
    assert (result.n_shared, result.paired) == (0, {})
    assert result.not_paired == "the serving version keeps no record of its users"


@pytest.mark.parametrize(
    ("before", "now", "changes"),
    [
        ({}, {}, ()),
        ({"cutoffs": [5], "last_n": 3, "seed": 9, "bootstrap": 0}, {}, ()),
        ({"holdout": 86_400}, {"holdout": "28d"}, ("holdout was 1d, is 28d",)),
        ({"split": "temporal", "holdout": 86_400}, {"split": "last_n"}, ("split was temporal, is last_n",)),
        ({"last_n": 3}, {"split": "last_n"}, ("last_n was 3, is 1",)),
        ({}, {"split": "last_n", "new_items": "measure"}, ()),
        ({"new_items": "drop"}, {"new_items": "measure"}, ("new_items was drop, is measure",)),
        ({"exclude_seen": True}, {"exclude_seen": False}, ("exclude_seen was True, is False",)),
        ({"seen_events": ["buy"]}, {}, ("seen_events was ['buy'], is []",)),
        (
            {"user_share": 0.2, "item_share": 0.5},
            {"split": "held_out_users"},
            ("user_share was 0.2, is 0.1", "item_share was 0.5, is 0.2"),
        ),
    ],
)
def test_settings_that_decide_what_is_held_out_are_the_protocol(before, now, changes):
    now = EvaluateConfig(**now)
    assert protocol_changes({**now.model_dump(mode="json"), **before}, now) == changes
    assert protocol_changes({}, now.model_copy(update={"exclude_seen": True})) == ()


def test_an_older_version_left_out_every_seen_item():
    lists_seen = EvaluateConfig(exclude_seen=False)
    assert protocol_changes({}, lists_seen, seen_events=["buy"]) == (
        "exclude_seen was True, is False",
        "seen_events was [], is ['buy']",
    )


def test_a_version_measured_differently_is_not_paired(record_of):
    values = {"ndcg@20": np.zeros(MIN_SHARED_USERS)}
    serving = ServingVersion("v1", {}, record_of(values), {"split": "temporal", "holdout": 43_200})
    result = compare_with_serving(record_of(values), serving, EVALUATE)
    assert result.paired == {}
    assert result.not_paired == "measured differently ([evaluate] has changed: holdout was 12h, is 28d)"


def test_coverage_is_that_of_the_shared_users_over_each_ones_own_catalogue(record_of):
    zeros = {"ndcg@20": np.zeros(2)}
    now = record_of(zeros, lists=[[0, 1, 2], [0, 3, PAD]], n_items=10)
    before = record_of({"ndcg@20": np.zeros(3)}, lists=[[0, 1], [0, 1], [7, 8]], n_items=8)
    rows = np.arange(2, dtype=np.int32)
    name, paired = coverage_difference(now, before, rows, rows, confidence=0.95)
    assert name == "coverage@2"  # the places that both keep
    assert paired.before == 2 / 8
    assert paired.difference.mean == pytest.approx(3 / 10 - 2 / 8)


def _jackknife(now, before, n_items, confidence_width):
    """Leave out every user in turn and measure again."""

    def measured(rows):
        share = [
            len({item for row in rows for item in lists[row] if item != PAD}) / n_items for lists in (now, before)
        ]
        return share[0] - share[1]

    everybody = range(len(now))
    without = [measured([row for row in everybody if row != left_out]) for left_out in everybody]
    n = len(now)
    deviation = np.sqrt((n - 1) / n * np.sum((np.array(without) - np.mean(without)) ** 2))
    return measured(everybody), confidence_width * deviation


lists = st.lists(st.lists(st.integers(-1, 7), min_size=3, max_size=3), min_size=6, max_size=6)


@given(lists, lists)
@settings(max_examples=40, deadline=None)
def test_the_interval_of_coverage_is_that_of_leaving_users_out(record_of, now, before):
    now, before = ([_distinct(row) for row in rows] for rows in (now, before))
    zeros, rows = {"ndcg@20": np.zeros(6)}, np.arange(6, dtype=np.int32)
    _, paired = coverage_difference(
        record_of(zeros, lists=now), record_of(zeros, lists=before), rows, rows, confidence=0.95
    )
    mean, reach = _jackknife(now, before, 10, 1.959964)
    assert_allclose(paired.difference, (mean, mean - reach, mean + reach), atol=1e-6)


def _distinct(row):
    kept = list(dict.fromkeys(item for item in row if item >= 0))
    return kept + [PAD] * (len(row) - len(kept))
