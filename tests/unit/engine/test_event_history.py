"""The events of a question weigh what `prepare` would have made of them; the slow reference is `prepare` itself."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.artifacts.manifest import VersionFacts, new_manifest
from recsys.data.cleaning import build_history
from recsys.data.event_weights import EventWeights
from recsys.data.id_map import IdMap
from recsys.data.interactions import Interactions
from recsys.data.pairs import first_of_equal_rows
from recsys.engine.event_history import weigh, weights_of
from recsys.engine.question import MAX_EVENTS, Event
from recsys.errors import ArtifactError, InvalidRequestError

DAY = 86_400
ITEMS, _ = IdMap.of(["a", "b", "c", "d"])
PLAIN = EventWeights(has_times=False, has_values=False)
SHOP = EventWeights({"view": 1.0, "buy": 4.0}, half_life_days=10, now=100 * DAY)


def weights(weighing: EventWeights, *events: Event) -> dict[str, float]:
    weighed = weigh(events, ITEMS, weighing)
    return dict(zip(ITEMS.decode(weighed.item_idx), weighed.weight.tolist(), strict=True))


def test_kind_value_and_age_are_multiplied_and_repeats_summed() -> None:
    found = weights(
        SHOP,
        Event("a", "buy", 3.0, 90 * DAY),  # 4 * 3 / 2
        Event("a", "view", 1.0, 100 * DAY),  # 1
        Event("b", "view", 2.0, 80 * DAY),  # 2 / 4
    )
    assert found == {"a": 7.0, "b": 0.5}


def test_what_is_left_unsaid() -> None:
    """No kind: the lightest. No time: just now, in full, as what is newer than the log."""
    assert weights(SHOP, Event("a"), Event("b", "buy"), Event("c", "view", 1.0, 200 * DAY)) == {
        "a": 1,
        "b": 4,
        "c": 1,
    }


def test_parts_that_the_log_does_not_have_are_ignored() -> None:
    assert weights(PLAIN, Event("a", "whatever", -3.0, 5.0), Event("a", value=0)) == {"a": 2.0}


def test_without_a_known_end_of_the_log_decay_starts_at_the_newest_event() -> None:
    old = replace(SHOP, now=None)
    assert weights(old, Event("a", "view", 1.0, 90 * DAY), Event("b", "view", 1.0, 80 * DAY)) == {"a": 1.0, "b": 0.5}
    assert weights(old, Event("a")) == {"a": 1.0}


def test_unknown_items_are_named_once_and_count_for_nothing() -> None:
    weighed = weigh([Event("z"), Event("b"), Event("x"), Event("z")], ITEMS, SHOP)
    assert (weighed.unknown_items, weighed.item_idx.tolist()) == (("z", "x"), [1])
    assert weigh([Event("z")], ITEMS, SHOP).item_idx.tolist() == []
    assert weigh([], ITEMS, SHOP).unknown_items == ()


def test_the_same_event_told_twice_counts_once_where_prepare_merges_such_rows() -> None:
    once = replace(SHOP, half_life_days=None, deduplicate=True)
    twice = [Event("a", "buy", 2.0, 5.0), Event("a", "buy", 2.0, 5.0)]
    assert weights(once, *twice) == {"a": 8.0}
    assert weights(SHOP, *(replace(event, timestamp=100 * DAY) for event in twice)) == {"a": 16.0}
    assert weights(once, Event("a", "buy"), Event("a", "buy")) == {"a": 8.0}  # two that have just happened are two


def test_returns_are_netted_where_prepare_nets_them() -> None:
    net = replace(SHOP, half_life_days=None, net=True)
    assert weights(net, Event("a", "view", 3.0), Event("a", "view", -1.0), Event("b", "view", -2.0)) == {
        "a": 2,
        "b": -2,
    }


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (Event("a", "steal"), "events.1.event: expected one of view, buy"),
        (Event("a", value=0.0), "events.1.value: expected above zero"),
        (Event("a", value=-1.0), "events.1.value: expected above zero"),
        (Event("a", value=1e-60), "events.1.value: expected above zero"),
        (Event("a", value=float("nan")), "events.1.value: expected a number from"),
        (Event("a", value=1e10), "events.1.value: expected a number from"),
        (Event("a", value=True), "events.1.value: expected a number from"),
        (Event("a", timestamp=float("inf")), "events.1.timestamp, in UTC seconds: expected a number"),
        (Event("a", timestamp=1_790_000_000_000), "events.1.timestamp, in UTC seconds: expected a number"),
        (Event(""), "events.1.item_id: 0 bytes"),
        (Event("\ud800"), "events.1.item_id: holds a character"),
    ],
)
def test_what_prepare_would_refuse_is_refused(event: Event, message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        weigh([Event("a"), event], ITEMS, SHOP)


def test_a_value_of_zero_is_refused_among_returns_too() -> None:
    with pytest.raises(InvalidRequestError, match=r"events\.0\.value: expected other than zero"):
        weigh([Event("a", value=0.0)], ITEMS, replace(SHOP, net=True))


def test_the_number_of_events_is_bounded() -> None:
    with pytest.raises(InvalidRequestError, match="10001 came; expected at most 10000"):
        weigh([Event("a")] * (MAX_EVENTS + 1), ITEMS, PLAIN)


def test_a_manifest_of_a_later_release_is_refused_and_one_without_settings_counts_plainly() -> None:
    assert weights_of(new_manifest({}, VersionFacts())) == PLAIN
    with pytest.raises(ArtifactError, match=r"config\.prepare"):
        weights_of(new_manifest({}, VersionFacts(config={"prepare": {"half_life_years": 1}})))


EVENTS = st.builds(
    Event,
    st.sampled_from("abcd"),
    st.sampled_from(["view", "buy"]),
    st.sampled_from([0.5, 1.0, 2.0, 7.0]),
    st.integers(0, 40).map(lambda day: day * DAY),
)


@settings(max_examples=60, deadline=None)
@given(
    events=st.lists(EVENTS, min_size=1, max_size=30),
    half_life=st.sampled_from([None, 10.0]),
    repeats=st.sampled_from(["sum", "max", "last"]),
    deduplicate=st.booleans(),
)
def test_it_is_what_prepare_makes_of_one_user(
    events: list[Event], half_life: float | None, repeats: Any, deduplicate: bool
) -> None:
    kinds = {"view": 1.0, "buy": 4.0}
    weighing = EventWeights(kinds, half_life, repeats, deduplicate=deduplicate, now=50 * DAY)
    items, item_idx = IdMap.of([event.item_id for event in events])
    log = Interactions(
        *(IdMap.of(["u"])[0], items, np.zeros(len(events), np.int32), item_idx),
        np.array([event.value for event in events], np.float32),
        np.array([event.timestamp for event in events], np.int64),
        np.array([list(kinds).index(event.event or "") for event in events], np.int8),
        tuple(kinds),
    )
    log = log.select(first_of_equal_rows(log)) if deduplicate else log
    history = build_history(log, weighing)
    expected = dict(zip(items.decode(history.csr.indices), history.csr.data.tolist(), strict=True))
    assert weights(weighing, *events) == pytest.approx(expected, rel=1e-6)
