"""How much one event counts."""

import numpy as np
import pytest

from recsys.config import LogSchema, PrepareConfig
from recsys.data.event_weights import EventWeights
from recsys.errors import ConfigError, DataError

DAY = 86_400


def test_weight_is_kind_times_value_times_decay(make_log):
    log = make_log(
        [
            ("u", "a", 20 * DAY, 1, "view"),
            ("u", "b", 10 * DAY, 3, "view"),
            ("v", "a", 0, 2, "buy"),
        ]
    )
    weight = EventWeights(kinds={"view": 1.0, "buy": 5.0}, half_life_days=10).weigh(log)
    assert weight.dtype == np.float32
    # view 1 x 1 x 1, view 1 x 3 x 1/2, buy 5 x 2 x 1/4
    np.testing.assert_allclose(weight, [1.0, 1.5, 2.5], rtol=1e-6)


def test_values_alone_without_kinds_and_half_life(make_log):
    log = make_log([("u", "a", 5, 2.5), ("u", "b", 9, -1.0)])
    np.testing.assert_array_equal(EventWeights().weigh(log), [2.5, -1.0])


def test_decay_starts_at_now_and_what_is_newer_counts_in_full(make_log):
    log = make_log([("u", "a", 0), ("u", "b", 10 * DAY), ("u", "c", 30 * DAY)])
    weight = EventWeights(half_life_days=10, now=10 * DAY).weigh(log)
    np.testing.assert_allclose(weight, [0.5, 1.0, 1.0])


def test_times_before_1970_decay_too(make_log):
    log = make_log([("u", "a", -30 * DAY), ("u", "b", -20 * DAY)])
    weight = EventWeights(half_life_days=10).weigh(log)
    np.testing.assert_allclose(weight, [0.5, 1.0])


def test_no_events_weigh_nothing(make_log):
    log = make_log([("u", "a", 5)]).select(np.zeros(1, bool))
    assert len(EventWeights(half_life_days=1).weigh(log)) == 0


def test_input_is_left_as_it_is(make_log):
    log = make_log([("u", "a", 0, 2.0), ("u", "b", DAY, 2.0)])
    EventWeights(half_life_days=1).weigh(log)
    np.testing.assert_array_equal(log.value, [2.0, 2.0])


def test_half_life_needs_times(make_log):
    with pytest.raises(ConfigError, match=r"prepare\.half_life_days.*log\.timestamp"):
        EventWeights(half_life_days=1).weigh(make_log([("u", "a")]))


def test_kind_weights_need_kinds(make_log):
    with pytest.raises(ConfigError, match=r"log\.event_weights.*log\.event"):
        EventWeights(kinds={"view": 1.0}).weigh(make_log([("u", "a")]))


def test_a_kind_without_a_weight_is_named_where_an_event_is_of_it(make_log):
    log = make_log([("u", "a", 0, 1, "view"), ("u", "b", 0, 1, "spam")])
    with pytest.raises(DataError, match="'spam'"):
        EventWeights(kinds={"view": 1.0}).weigh(log)
    only_views = log.select(np.array([True, False]))
    np.testing.assert_array_equal(EventWeights(kinds={"view": 2.0}).weigh(only_views), [2.0])


def test_it_is_what_the_configuration_asks_for():
    log = LogSchema(user="u", item="i", event="kind", event_weights={"view": 2.0}, value="n", non_positive="net")
    weights = EventWeights.of(log, PrepareConfig(half_life_days=3, deduplicate=True), now=7)
    assert weights == EventWeights(
        {"view": 2.0}, half_life_days=3, net=True, deduplicate=True, has_times=False, has_values=True, now=7
    )
    assert weights.at(9).now == 9
    assert EventWeights.of(LogSchema(timestamp="t"), PrepareConfig(repeats="max")).repeats == "max"


@pytest.mark.parametrize("repeats", ["max", "last"])
def test_returns_are_summed_with_what_they_return(repeats):
    with pytest.raises(ConfigError, match=r'prepare\.repeats = "sum"'):
        EventWeights(repeats=repeats, net=True)


@pytest.mark.parametrize(
    ("repeats", "expected"),
    [("sum", {0: 3.0, 1: 6.0, 3: 1.0}), ("max", {0: 3.0, 1: 4.0, 3: 5.0}), ("last", {0: 3.0, 1: 2.0})],
)
def test_a_stored_history_and_later_events_are_one_history(repeats, expected):
    stored = np.array([0, 1, 3], np.int32), np.array([3, 4, 5], np.float32)
    later = np.array([1, 3], np.int32), np.array([2, -4], np.float32)
    items, weight = EventWeights(repeats=repeats).combine(stored, later)
    assert dict(zip(items.tolist(), weight.tolist(), strict=True)) == expected
    assert (items.dtype, weight.dtype) == (np.int32, np.float32)


def test_nothing_is_left_of_a_returned_item():
    stored = np.array([2], np.int32), np.array([3], np.float32)
    items, _ = EventWeights().combine(stored, (np.array([2], np.int32), np.array([-3], np.float32)))
    assert items.tolist() == []
