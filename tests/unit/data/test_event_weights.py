"""How much one event counts."""

import numpy as np
import pytest

from recsys.config import PrepareConfig
from recsys.data.event_weights import weigh_events
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
    weight = weigh_events(log, PrepareConfig(half_life_days=10), event_weights={"view": 1.0, "buy": 5.0})
    assert weight.dtype == np.float32
    # view 1 x 1 x 1, view 1 x 3 x 1/2, buy 5 x 2 x 1/4
    np.testing.assert_allclose(weight, [1.0, 1.5, 2.5], rtol=1e-6)


def test_values_alone_without_kinds_and_half_life(make_log):
    log = make_log([("u", "a", 5, 2.5), ("u", "b", 9, -1.0)])
    np.testing.assert_array_equal(weigh_events(log, PrepareConfig(), event_weights={}), [2.5, -1.0])


def test_decay_starts_at_now_and_what_is_newer_counts_in_full(make_log):
    log = make_log([("u", "a", 0), ("u", "b", 10 * DAY), ("u", "c", 30 * DAY)])
    weight = weigh_events(log, PrepareConfig(half_life_days=10), event_weights={}, now=10 * DAY)
    np.testing.assert_allclose(weight, [0.5, 1.0, 1.0])


def test_times_before_1970_decay_too(make_log):
    log = make_log([("u", "a", -30 * DAY), ("u", "b", -20 * DAY)])
    weight = weigh_events(log, PrepareConfig(half_life_days=10), event_weights={})
    np.testing.assert_allclose(weight, [0.5, 1.0])


def test_no_events_weigh_nothing(make_log):
    log = make_log([("u", "a", 5)]).select(np.zeros(1, bool))
    assert len(weigh_events(log, PrepareConfig(half_life_days=1), event_weights={})) == 0


def test_input_is_left_as_it_is(make_log):
    log = make_log([("u", "a", 0, 2.0), ("u", "b", DAY, 2.0)])
    weigh_events(log, PrepareConfig(half_life_days=1), event_weights={})
    np.testing.assert_array_equal(log.value, [2.0, 2.0])


def test_half_life_needs_times(make_log):
    with pytest.raises(ConfigError, match=r"prepare\.half_life_days.*log\.timestamp"):
        weigh_events(make_log([("u", "a")]), PrepareConfig(half_life_days=1), event_weights={})


def test_kind_weights_need_kinds(make_log):
    with pytest.raises(ConfigError, match=r"log\.event_weights.*log\.event"):
        weigh_events(make_log([("u", "a")]), PrepareConfig(), event_weights={"view": 1.0})


def test_a_kind_without_a_weight_is_named_where_an_event_is_of_it(make_log):
    log = make_log([("u", "a", 0, 1, "view"), ("u", "b", 0, 1, "spam")])
    with pytest.raises(DataError, match="'spam'"):
        weigh_events(log, PrepareConfig(), event_weights={"view": 1.0})
    only_views = log.select(np.array([True, False]))
    np.testing.assert_array_equal(weigh_events(only_views, PrepareConfig(), event_weights={"view": 2.0}), [2.0])
