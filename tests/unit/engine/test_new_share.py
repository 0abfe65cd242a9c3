"""Places kept for new items: how many, who gets them, where they stand; the same list however it is asked for."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp

from recsys.artifacts.bundle import Bundle
from recsys.artifacts.manifest import VersionFacts, new_manifest
from recsys.content.space import ContentSource, ContentSpace
from recsys.engine import Answer, Engine, Event, Like, Question
from recsys.engine.new_places import NO_NEW
from recsys.errors import InvalidRequestError

N_OLD, N_NEW, N_USERS = 60, 12, 40
DAY = date(2026, 11, 28)
TOO_LOW = {"i0070", "i0071"}
"""New items whose scores are far below those of every list."""


def _with_share(bundle: Bundle, share: float, least: float = 0.5) -> Bundle:
    config = {"model": {"factors": 2}, "cold_start": {"new_share": share, "new_min_score": least}}
    return replace(bundle, manifest=new_manifest({}, VersionFacts(config=config, log={"fingerprint": "f" * 64})))


@pytest.fixture(scope="module")
def bundle(make_bundle: Callable[..., Bundle]) -> Bundle:
    """Old items score 2 to 3 for everybody, new ones 1.5 but for two that score 0.1: none is listed by its score."""
    rng = np.random.default_rng(5)
    seen = sp.lil_matrix((N_USERS, N_OLD + N_NEW), dtype=np.float32)
    for row in range(N_USERS):
        seen[row, rng.choice(N_OLD, 5, replace=False)] = 1
    seen[0, :N_OLD] = 1
    users = np.c_[np.ones(N_USERS), rng.uniform(0, 0.001, N_USERS)]
    users[-1] = 0
    items = np.c_[np.r_[rng.uniform(2, 3, N_OLD), np.full(N_NEW, 1.5)], rng.uniform(0, 1, N_OLD + N_NEW)]
    items[-2:] = [0.1, 0]
    n_items = N_OLD + N_NEW
    sources = []
    for name, column in (("words", "title"), ("people", "author")):
        vectors = np.zeros((n_items, 4), np.float32)
        vectors[np.arange(n_items), np.arange(n_items) % 4] = 1
        sources.append(ContentSource(name, "tfidf", (column,), vectors))
    table = pa.table({"price": np.arange(n_items) * 1.0, "title": [f"Title {at}" for at in range(n_items)]})
    return make_bundle(seen.tocsr(), users, items, table=table, content=ContentSpace(tuple(sources)))


@pytest.fixture(scope="module")
def engine(bundle: Bundle) -> Engine:
    return Engine(_with_share(bundle, 0.2), today=lambda: DAY)


def new_ids(answer: Answer) -> list[str]:
    return [item.item_id for item in answer.items if item.new]


@pytest.mark.parametrize(
    ("k", "share", "n_new"), [(10, 0.2, 2), (10, 0.01, 1), (30, 0.1, 3), (7, 0.5, 4), (10, 0, 0)]
)
def test_the_share_is_rounded_up(engine: Engine, k: int, share: float, n_new: int) -> None:
    answer = engine.ask(Question(user_id="u0003", k=k, new_share=share))
    assert (len(new_ids(answer)), len(answer.items), answer.warnings) == (n_new, k, ())


def test_the_others_are_the_best_in_their_order_and_the_new_ones_are_spread(engine: Engine) -> None:
    plain = engine.ask(Question(user_id="u0003", k=10, new_share=0))
    answer = engine.ask(Question(user_id="u0003", k=10, new_share=0.3))
    assert [it.item_id for it in answer.items if not it.new] == [it.item_id for it in plain.items[:7]]
    assert [it.rank for it in answer.items if it.new] == [2, 6, 9]
    assert [it.rank for it in answer.items] == list(range(1, 11))
    kept = [it.score for it in answer.items if it.new]
    assert kept == sorted(kept, reverse=True)


def test_those_that_are_listed_by_their_score_count(bundle: Bundle, make_bundle: Callable[..., Bundle]) -> None:
    items = bundle.model.embeddings.items.copy()
    items[N_OLD] = [9, 0]
    best = make_bundle(bundle.history, bundle.model.embeddings.users, items, table=bundle.items.table)
    answer = Engine(best).ask(Question(user_id="u0003", k=10, new_share=0.2))
    assert answer.items[0].item_id == "i0060"
    assert len(new_ids(answer)) == 2


def test_scores_that_are_too_low_get_no_place_and_a_warning_says_so(bundle: Bundle, engine: Engine) -> None:
    answer = engine.ask(Question(user_id="u0003", k=20, new_share=0.6))
    assert len(new_ids(answer)) == N_NEW - 2
    assert not TOO_LOW & set(new_ids(answer))
    assert answer.warnings[0].startswith("only 10 of 12 places kept for new items are filled, because the scores")
    everything = Engine(_with_share(bundle, 0.6, least=0.0)).recommend("u0003", k=20)
    assert set(new_ids(everything)) > TOO_LOW
    assert everything.warnings == ()


CONDITIONS = {
    "filter": {"filter": "price < 64"},
    "include": {"include": (*(f"i00{at}" for at in range(10, 60)), "i0060", "i0061")},
    "exclude": {"exclude": tuple(f"i00{at}" for at in range(62, 72))},
    "diversity": {"diversity": 0.4},
    "boosts": {"boosts": {"i0061": 1.2, "i0020": 2.0}},
    "events": {"events": (Event("i0001"), Event("i0060"))},
}


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("user_id", ["u0003", "nobody", "u0039"])
def test_conditions_hold_for_them_and_the_list_is_the_same_alone_and_in_a_batch(
    engine: Engine, condition: str, user_id: str
) -> None:
    question = Question(user_id=user_id, k=10, explain=True, **CONDITIONS[condition])
    answer = engine.ask(question)
    found = set(new_ids(answer))
    assert 1 <= len(found) <= 2 or condition == "include"
    if condition == "filter":
        assert found <= {"i0060", "i0061", "i0062", "i0063"}
    if condition in {"include", "exclude"}:
        assert found <= {"i0060", "i0061"}
    if condition == "events":
        assert "i0060" not in found
    others = [Question(user_id=f"u{at:04}", k=10) for at in range(5)]
    assert engine.ask_many([*others, question, Question(k=10, new_share=0)])[5] == answer
    assert engine.with_exact_search().ask(question) == answer


def test_an_export_has_the_lists_of_single_questions(engine: Engine) -> None:
    n_lists = 0
    for user_ids, top in engine.iter_all(10, batch=7):
        for user_id, (indices, scores) in zip(user_ids, top.rows(), strict=True):
            items = engine.recommend(user_id).items
            assert [item.item_id for item in items] == engine.item_ids.decode(indices.tolist())
            assert [item.score for item in items] == scores.tolist()
            n_lists += 1
    assert n_lists == N_USERS


def test_all_that_are_good_enough_are_shown_over_days_and_over_users(bundle: Bundle) -> None:
    shared = _with_share(bundle, 0.2)
    days = [Engine(shared, today=lambda day=day: DAY + timedelta(day)) for day in range(5)]
    over_days = [item for engine in days for item in new_ids(engine.recommend("u0003"))]
    expected = {f"i00{at}" for at in range(60, 70)}
    assert Counter(over_days) == Counter(expected), "ten items, two a day: each once in five days"
    over_users = {item for at in range(1, N_USERS - 1) for item in new_ids(days[0].recommend(f"u{at:04}"))}
    assert over_users == expected


def test_a_fallback_list_keeps_places_too(engine: Engine) -> None:
    visitor = engine.ask(Question(k=10))
    assert visitor.user_status == "fallback"
    assert [it.score for it in visitor.items if it.new] == [0.0, 0.0]
    shown = {item for at in range(80) for item in new_ids(engine.recommend(f"visitor {at}"))}
    assert shown == {f"i00{at}" for at in range(60, 72)}, "nothing is known of a visitor, so no score is too low"


def test_a_new_item_that_the_user_has_seen_is_not_listed(engine: Engine) -> None:
    events = tuple(Event(f"i00{at}") for at in range(60, 71))
    assert set(new_ids(engine.ask(Question(user_id="u0003", events=events)))) <= {"i0071"}


def test_a_version_without_new_items_says_so_only_if_asked(small: Bundle) -> None:
    engine = Engine(_with_share(small, 0.5))
    assert engine.recommend("u0000", k=2).warnings == Engine(small).recommend("u0000", k=2).warnings
    assert NO_NEW in engine.ask(Question(user_id="u0000", k=2, new_share=0.1)).warnings


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan"), "0.1", True])
def test_a_share_out_of_bounds_is_refused(engine: Engine, share: object) -> None:
    with pytest.raises(InvalidRequestError, match="new_share: expected a number from 0 to 1"):
        engine.ask(Question(user_id="u0003", new_share=share))


def test_new_items_say_what_they_are_like(engine: Engine) -> None:
    """Content of items is the same if their numbers are so modulo 4, by titles and by authors alike."""
    answer = engine.ask(Question(user_id="u0003", explain=True))
    history = {item.item_id for item in engine.history("u0003")}
    for item in answer.items:
        assert item.reasons is not None
        if not item.new:
            assert item.like is None
            continue
        assert item.like
        same = {it for it in history if (int(it[1:]) - int(item.item_id[1:])) % 4 == 0}
        assert {like.item_id for like in item.like} <= (same or {f"i00{int(item.item_id[1:]) % 4:02}"})
        assert all(like.by == ("title", "author") for like in item.like)
    visitor = next(item for item in engine.ask(Question(explain=True)).items if item.new)
    nearest = f"i000{int(visitor.item_id[1:]) % 4}"
    assert visitor.like == (Like(nearest, f"Title {int(nearest[1:])}", ("title", "author")),)
    assert visitor.reasons is None


def test_reasons_and_rest_of_a_new_item_sum_to_its_score(engine: Engine) -> None:
    for item in engine.ask(Question(user_id="u0003", explain=True, boosts={"i0061": 1.1})).items:
        assert item.reasons is not None
        assert item.rest is not None
        assert sum(reason.contribution for reason in item.reasons) + item.rest == pytest.approx(item.score)
