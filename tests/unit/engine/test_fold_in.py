"""People whom training never saw, or who did more since: the list is the one that training would have led to."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.artifacts.bundle import Bundle
from recsys.artifacts.manifest import VersionFacts, new_manifest
from recsys.config import PrepareConfig
from recsys.data.cleaning import build_matrix
from recsys.data.event_weights import EventWeights
from recsys.data.id_map import IdMap
from recsys.data.interactions import Interactions
from recsys.data.items import Items
from recsys.engine import Answer, Engine, Event, Question
from recsys.engine.answers import NO_USABLE_EVENT, NO_USER, ONLY_EVENTS, UNKNOWN_USER
from recsys.engine.post_processing import N_REASONS
from recsys.errors import InvalidRequestError
from recsys.models.factors.als import AlsConfig
from recsys.models.registry import fit_model
from recsys.retrieval.exact import normalised
from recsys.retrieval.flat_index import build_index

DAY = 86_400
KINDS = {"view": 1.0, "buy": 4.0}
N_ITEMS = 40


@dataclass(frozen=True)
class Shop:
    """A log, and the version trained on it until nothing changes any more."""

    log: dict[str, tuple[Event, ...]]
    engine: Engine


def _log() -> dict[str, tuple[Event, ...]]:
    rng = np.random.default_rng(5)

    def event() -> Event:
        item, kind = f"i{rng.integers(N_ITEMS):02}", ["view", "buy"][rng.integers(2)]
        return Event(item, kind, float(rng.integers(1, 4)), float(rng.integers(0, 60) * DAY))

    return {f"u{user:02}": tuple(event() for _ in range(rng.integers(3, 12))) for user in range(50)}


def _interactions(log: dict[str, tuple[Event, ...]]) -> Interactions:
    rows = [(user, event) for user, events in log.items() for event in events]
    users, user_idx = IdMap.of([user for user, _ in rows])
    items, item_idx = IdMap.of([event.item_id for _, event in rows])
    return Interactions(
        *(users, items, user_idx, item_idx, np.array([event.value for _, event in rows], np.float32)),
        np.array([event.timestamp for _, event in rows], np.int64),
        np.array([list(KINDS).index(event.event or "") for _, event in rows], np.int8),
        tuple(KINDS),
    )


@cache
def _shop(weighting: Any) -> Shop:
    prepare, log = PrepareConfig(half_life_days=20), _log()
    config = AlsConfig(
        factors=6,
        iterations=300,
        regularization=2.0,
        alpha=3.0,
        weighting=weighting,
        start="random",
        popularity_exponent=0.3,
    )
    matrix, _ = build_matrix(_interactions(log), prepare, weights=EventWeights(KINDS, half_life_days=20))
    model = fit_model(matrix, config)
    settled = {
        "prepare": prepare.model_dump(),
        "log": {"event_weights": KINDS, "timestamp": "t", "value": "v", "event": "e", "non_positive": "refuse"},
    }
    newest = max(event.timestamp or 0 for events in log.values() for event in events)
    manifest = new_manifest({}, VersionFacts(config=settled, log={"newest_event": int(newest)}))
    titles = Items(matrix.items, _titles(matrix.items))
    parts: dict[str, Any] = {
        "index": build_index(model.embeddings.scoring_items),
        "similar": build_index(normalised(model.embeddings.items)),
    }
    bundle = Bundle(
        manifest=manifest,
        users=matrix.users,
        items=titles,
        model=model,
        history=matrix.csr,
        popularity=model.item_degree,
        **parts,
    )
    return Shop(log, Engine(bundle))


def _titles(ids: IdMap) -> Any:
    return pa.table({"title": [f"Item {item_id}" for item_id in ids.ids.to_pylist()]})


@pytest.fixture(scope="module", params=["degree", "plain"])
def shop(request: pytest.FixtureRequest) -> Shop:
    return _shop(request.param)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return _shop("degree").engine


def everything(answer: Answer) -> dict[str, float]:
    return {item.item_id: item.score for item in answer.items}


# --- the trained row ------------------------------------------------------------------------------------------------


def test_the_raw_events_of_a_trained_user_lead_to_the_trained_scores(shop: Shop) -> None:
    for user, events in shop.log.items():
        told = shop.engine.ask(Question(events=events, k=N_ITEMS, exclude_seen=False))
        trained = shop.engine.recommend(user, k=N_ITEMS, exclude_seen=False)
        assert (told.user_status, trained.user_status) == ("folded_in", "known")
        assert everything(told) == pytest.approx(everything(trained), abs=1e-4)


def test_what_was_told_counts_as_seen(shop: Shop) -> None:
    for user, events in list(shop.log.items())[:10]:
        told = everything(shop.engine.ask(Question(events=events, k=N_ITEMS)))
        assert told.keys() == everything(shop.engine.recommend(user, k=N_ITEMS)).keys()
        assert not told.keys() & {event.item_id for event in events}


def test_the_order_in_which_events_are_told_does_not_matter(shop: Shop) -> None:
    events = shop.log["u03"]
    forwards, backwards = (
        everything(shop.engine.ask(Question(events=told, k=N_ITEMS))) for told in (events, events[::-1])
    )
    assert forwards == pytest.approx(backwards, abs=1e-6)


def test_a_known_user_who_did_more_is_folded_in_from_both(shop: Shop) -> None:
    """Half of the events are stored, the other half told: as if all had been told."""
    user, events = "u07", (Event("i01", "buy", 2.0), Event("i02", "view", 1.0))
    both = shop.engine.ask(Question(user_id=user, events=events, k=N_ITEMS, exclude_seen=False))
    told = shop.engine.ask(Question(events=(*shop.log[user], *events), k=N_ITEMS, exclude_seen=False))
    assert both.user_status == "folded_in"
    assert everything(both) == pytest.approx(everything(told), abs=1e-4)
    listed = everything(shop.engine.ask(Question(user_id=user, events=events, k=N_ITEMS))).keys()
    assert not listed & {"i01", "i02", *(event.item_id for event in shop.log[user])}


# --- what is left unsaid --------------------------------------------------------------------------------------------


def test_nothing_usable_leads_to_a_labelled_fallback(engine: Engine) -> None:
    answer = engine.ask(Question(events=(Event("nothing"), Event("never"), Event("nothing")), k=3))
    assert (answer.user_status, answer.unknown_items) == ("fallback", ("nothing", "never"))
    assert answer.warnings[-1] == NO_USABLE_EVENT
    assert len(answer.items) == 3
    assert engine.ask(Question(k=3)).warnings == (NO_USER,)
    assert engine.ask(Question(user_id="nobody", k=3)).warnings == (UNKNOWN_USER,)


def test_an_item_that_decayed_away_is_still_seen(engine: Engine) -> None:
    tiny = Event("i01", "view", 1.5e-45, 0.0)  # the least float32 there is, halved thrice
    popular = everything(engine.ask(Question(k=N_ITEMS)))
    assert "i01" in popular
    assert "i01" not in everything(engine.ask(Question(events=(tiny, Event("i02")), k=N_ITEMS)))


def test_unknown_items_do_not_change_the_list(engine: Engine) -> None:
    known = (Event("i01", "buy"), Event("i02", "view"))
    answer = engine.ask(Question(events=(*known, Event("new"))))
    assert answer.items == engine.ask(Question(events=known)).items
    assert answer.unknown_items == ("new",)
    assert answer.warnings == ("items that this version does not have: 1",)


def test_an_unknown_user_with_events_is_folded_in(engine: Engine) -> None:
    events = (Event("i01", "buy"),)
    answer = engine.ask(Question(user_id="nobody", events=events))
    assert answer.items == engine.ask(Question(events=events)).items
    assert (answer.user_status, answer.warnings) == ("folded_in", (ONLY_EVENTS,))


def test_a_known_user_whose_events_say_nothing_is_known_as_before(engine: Engine) -> None:
    answer = engine.ask(Question(user_id="u01", events=(Event("new"),)))
    assert (answer.user_status, answer.unknown_items) == ("known", ("new",))
    assert answer.items == engine.recommend("u01").items


def test_bad_events_are_refused(engine: Engine) -> None:
    with pytest.raises(InvalidRequestError, match="expected one of view, buy"):
        engine.ask(Question(events=(Event("i01", "steal"),)))


def test_company_changes_nothing(engine: Engine) -> None:
    questions = [
        Question(events=(Event("i01"),), k=5),
        Question(user_id="u01", k=7, explain=True),
        Question(user_id="nobody", k=5),
        Question(user_id="u01", events=(Event("i03"),), k=5, exclude_seen=False),
        Question(user_id="u02", k=5),
    ]
    assert engine.ask_many(questions) == [engine.ask(question) for question in questions]
    assert engine.ask_many([]) == []


# --- reasons --------------------------------------------------------------------------------------------------------

EVENTS = st.lists(
    st.builds(Event, st.sampled_from([f"i{item:02}" for item in range(N_ITEMS)])), min_size=1, max_size=8
)


@settings(max_examples=25, deadline=None)
@given(events=EVENTS)
def test_reasons_of_somebody_folded_in_add_up(engine: Engine, events: list[Event]) -> None:
    answer = engine.ask(Question(events=tuple(events), k=5, explain=True))
    told = {event.item_id for event in events}
    for item in answer.items:
        assert item.reasons is not None
        assert item.rest is not None
        assert {reason.item_id for reason in item.reasons} <= told
        assert len(item.reasons) <= N_REASONS
        parts = [reason.contribution for reason in item.reasons]
        assert parts == sorted(parts, reverse=True)
        assert sum(parts) + item.rest == pytest.approx(item.score)
        if len(told) == 1:  # Nothing but that item can have carried it.
            assert sum(parts) + min(item.rest, 0) == pytest.approx(item.score, abs=1e-6)


def test_all_contributions_of_a_folded_in_vector_are_the_score(shop: Shop) -> None:
    """Up to three items of history: all of them are named or below zero, so the rest is what is below zero."""
    answer = shop.engine.ask(Question(events=(Event("i01", "buy"), Event("i02", "view")), k=N_ITEMS, explain=True))
    for item in answer.items:
        reasons = item.reasons or ()
        if len(reasons) == 2:
            assert item.rest == pytest.approx(0, abs=1e-4 * abs(item.score) + 1e-6)
    assert any(len(item.reasons or ()) == 2 for item in answer.items)


def test_reasons_have_titles_and_lists_are_those_without_reasons(shop: Shop) -> None:
    with_reasons = shop.engine.ask(Question(user_id="u01", k=5, explain=True))
    assert everything(with_reasons) == everything(shop.engine.recommend("u01", k=5))
    reason = (with_reasons.items[0].reasons or ())[0]
    assert reason.title == f"Item {reason.item_id}"
    assert reason.item_id in {event.item_id for event in shop.log["u01"]}


def test_a_converged_user_is_explained_without_a_remainder_but_for_the_unnamed(shop: Shop) -> None:
    """Contributions are of the exact solve; here training has come as far."""
    user = next(user for user, events in shop.log.items() if len({event.item_id for event in events}) <= N_REASONS)
    for item in shop.engine.ask(Question(user_id=user, k=5, explain=True)).items:
        if len(item.reasons or ()) == len({event.item_id for event in shop.log[user]}):
            assert item.rest == pytest.approx(0, abs=1e-4)


def test_a_fallback_has_no_reasons(engine: Engine) -> None:
    assert all(item.reasons is None for item in engine.ask(Question(user_id="nobody", explain=True)).items)
