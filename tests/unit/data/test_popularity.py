"""What is popular now: decayed, or within a recent window, whatever was popular long ago."""

import numpy as np
import pytest

from recsys.config import PrepareConfig
from recsys.data import popularity
from recsys.data.cleaning import clean
from recsys.data.event_weights import EventWeights
from recsys.data.popularity import current_popularity

DAY = 86_400


def popular(log, prepare, *, now=None, net=False):
    """Items by popularity, and their popularities."""
    newest = int(log.timestamp.max()) if now is None and log.timestamp is not None else now
    cleaned = clean(log, prepare, weights=EventWeights(half_life_days=prepare.half_life_days, net=net))
    found = current_popularity(log, (cleaned.matrix, cleaned.folded_in), prepare, now=newest)
    assert found.dtype == np.float32
    items = cleaned.matrix.items
    order = np.argsort(-found, kind="stable")
    return [(items.id_at(int(at)), float(found[at])) for at in order]


@pytest.fixture
def december(make_log):
    """The garden chair of 30 users in June, the candle of 3 users in December, the lamp of both."""
    june = [(f"j{n}", item, n * DAY) for n in range(30) for item in ("chair", "lamp")] + [("j0", "grill", 0)]
    december = [(f"d{n}", "candle", 180 * DAY) for n in range(3)] + [("d0", "lamp", 180 * DAY)]
    return make_log(june + december)


def test_the_window_comes_first_then_all_time(december, monkeypatch):
    monkeypatch.setattr(popularity, "MIN_EVENTS", 4)
    assert popular(december, PrepareConfig()) == [
        ("candle", pytest.approx(3 + 3 / 32)),
        ("lamp", pytest.approx(1 + 31 / 32)),
        ("chair", pytest.approx(30 / 32)),
        ("grill", pytest.approx(1 / 32)),
    ]


def test_a_window_with_few_events_is_doubled(december):
    """Four events are not enough to say what is popular: the whole log is."""
    assert [item for item, _ in popular(december, PrepareConfig())] == ["lamp", "chair", "candle", "grill"]


def test_the_length_of_the_window_is_a_setting(december, monkeypatch):
    monkeypatch.setattr(popularity, "MIN_EVENTS", 1)
    year = PrepareConfig(popular_window="365d")
    assert [item for item, _ in popular(december, year)] == ["lamp", "chair", "candle", "grill"]


def test_with_decay_users_count_as_their_newest_event(make_log):
    log = make_log(
        [("a", "old", 0), ("b", "old", 10 * DAY), ("b", "old", 0), ("c", "new", 20 * DAY), ("d", "new", 0)]
    )
    assert popular(log, PrepareConfig(half_life_days=10)) == [
        ("new", pytest.approx(1 + 0.25)),
        ("old", pytest.approx(0.5 + 0.25)),
    ]


@pytest.mark.parametrize("half_life", [None, 10.0])
def test_one_user_cannot_make_an_item_popular(make_log, half_life):
    wholesale = [("w", "nail", 1, 80_000.0)] * 50
    log = make_log([*wholesale, ("a", "pen", 1, 1.0), ("b", "pen", 1, 1.0)])
    found = popular(log, PrepareConfig(half_life_days=half_life))
    assert [item for item, _ in found] == ["pen", "nail"]


def test_users_who_are_folded_in_count_bots_and_returns_do_not(make_log):
    rows = [(user, item, 5, 1.0) for user in "ab" for item in ("x", "y")]
    rows += [("c", "y", 5, 1.0), ("d", "x", 5, 1.0), ("d", "x", 6, -1.0)]
    rows += [("bot", "x", 5, 1.0)] * 9
    log = make_log(rows)
    found = popular(log, PrepareConfig(min_user_items=2, max_user_events=5), net=True)
    assert found == [("y", pytest.approx(3.75)), ("x", pytest.approx(2.5))]


def test_without_times_all_users_count(make_log):
    log = make_log([("a", "x"), ("b", "x"), ("b", "y")])
    assert popular(log, PrepareConfig()) == [("x", 2.0), ("y", 1.0)]


def test_an_item_with_entries_is_never_without_popularity(make_log):
    log = make_log([("a", "x", 0, 1e30), ("b", "y", 2_000 * DAY, 1.0)])
    found = dict(popular(log, PrepareConfig(half_life_days=14.5)))
    assert 0 < found["x"] < found["y"]
