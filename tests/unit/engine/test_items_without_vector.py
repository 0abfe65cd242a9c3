"""Items of the catalogue without interactions: known, shown, filtered, and never listed.

Six items: i0001 and i0004 are new. They have an empty column, degree 0, popularity 0 and the zero vector.
"""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp

from recsys.artifacts.bundle import Bundle
from recsys.engine import Answer, Engine, Event, Question
from recsys.engine.answers import ITEM_WITHOUT_VECTOR, ITEMS_WITHOUT_VECTOR, NO_DIRECTION, NO_USABLE_EVENT
from recsys.engine.filters import compile_filter, parse_filter

NEW = {"i0001", "i0004"}
SEEN = sp.csr_matrix(np.array([[3, 0, 0, 1, 0, 0], [0, 0, 2, 0, 0, 1], [0, 0, 1, 0, 0, 0]], np.float32))


@pytest.fixture(scope="module")
def bundle(make_bundle: Callable[..., Bundle]) -> Bundle:
    return make_bundle(
        SEEN,
        users=[[1, 0], [-1, 1], [0, 0]],
        items=[[1, 0], [0, 0], [1, 1], [2, 0], [0, 0], [-1, -1]],
        popularity=[1, 0, 2, 1, 0, 1],
        table=pa.table({"title": list("abcdef"), "price": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]}),
    )


@pytest.fixture(scope="module")
def engine(bundle: Bundle) -> Engine:
    return Engine(bundle)


def ids(answer: Answer) -> list[str]:
    return [item.item_id for item in answer.items]


def test_they_are_shown(engine: Engine) -> None:
    new, old = engine.item("i0001"), engine.item("i0002")
    assert (new.has_vector, new.n_users, new.title, new.attributes) == (False, 0, "b", {"price": 2.0})
    assert (old.has_vector, old.n_users) == (True, 2)


def test_filters_see_them(bundle: Bundle) -> None:
    mask = compile_filter(parse_filter("price < 3 or price > 4.5"), bundle.items)
    assert mask.tolist() == [True, True, False, False, True, True]


QUESTIONS = {
    "a known user": Question(user_id="u0000", exclude_seen=False),
    "scores below zero": Question(user_id="u0001", exclude_seen=False),
    "a filter": Question(user_id="u0001", exclude_seen=False, filter="price < 6"),
    "a list of items": Question(user_id="u0001", exclude_seen=False, include=("i0001", "i0000", "i0004")),
    "boosts": Question(user_id="u0001", exclude_seen=False, boosts={"i0001": 10.0, "i0004": 0.1}),
    "diversity": Question(user_id="u0000", exclude_seen=False, diversity=0.5),
    "events": Question(events=(Event("i0000"), Event("i0001")), exclude_seen=False),
    "a visitor": Question(),
    "a visitor with a filter": Question(filter="price < 6"),
    "a visitor with boosts": Question(boosts={"i0001": 1000.0}),
    "a visitor with a list of items": Question(include=("i0001", "i0002")),
    "a user without a vector": Question(user_id="u0002", exclude_seen=False),
}


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS.keys())
def test_no_list_holds_one(engine: Engine, question: Question) -> None:
    """And all that may be listed are: the list is short because of that alone."""
    answer = engine.ask(question)
    included = set(question.include or engine.item_ids.ids.to_pylist()) - NEW
    expected = included - ({"i0005"} if question.filter is not None else set())
    assert set(ids(answer)) == expected
    assert "can be listed" in answer.warnings[-1]
    assert engine.with_exact_search().ask(question) == answer


def test_a_list_of_nothing_else_is_empty_and_says_why(engine: Engine) -> None:
    answer = engine.ask(Question(user_id="u0000", k=1, include=tuple(NEW)))
    assert (answer.items, answer.user_status, answer.unknown_items) == ((), "known", ())
    assert answer.warnings == (
        "no item can be listed because of `include`, what this user has already seen and items without interactions",
    )
    visitor = engine.ask(Question(k=6))
    assert visitor.warnings[-1] == "only 4 items can be listed because of items without interactions"
    assert engine.ask(Question(k=6, filter="price in (1, 3)")).warnings[-1].endswith("because of the filter")


def test_an_export_holds_none(engine: Engine) -> None:
    for users, top in engine.iter_all(6):
        for user_id, (indices, _) in zip(users, top.rows(), strict=True):
            assert set(engine.item_ids.decode(indices)) == set(ids(engine.recommend(user_id, k=6)))
            assert not NEW & set(engine.item_ids.decode(indices))


def test_an_event_on_one_is_known_and_seen_but_says_nothing(engine: Engine) -> None:
    answer = engine.ask(Question(events=(Event("i0001"),), k=3))
    assert (answer.user_status, answer.unknown_items, answer.warnings) == ("fallback", (), (NO_USABLE_EVENT,))
    both = engine.ask(Question(events=(Event("i0001"), Event("i0000")), k=3))
    assert [item.item_id for item in both.items] == ids(engine.ask(Question(events=(Event("i0000"),), k=3)))
    assert both.user_status == "folded_in"


def test_candidates_without_a_vector_come_after_the_scored_ones(engine: Engine) -> None:
    """u0001 (-1, 1) scores i0000 -1, i0002 0, i0003 -2: a zero would have stood before two of them."""
    answer = engine.rank(["none", "i0004", "i0003", "i0001", "i0000", "i0002"], user_id="u0001")
    assert [(it.item_id, it.score, it.rank, it.known, it.has_vector) for it in answer.items] == [
        ("i0002", 0.0, 1, True, True),
        ("i0000", -1.0, 2, True, True),
        ("i0003", -2.0, 3, True, True),
        ("i0004", None, 4, True, False),
        ("i0001", None, 5, True, False),
        ("none", None, 6, False, False),
    ]
    assert answer.items[3].title == "e"
    assert answer.unknown_items == ("none",)
    assert answer.warnings == ("items that this version does not have: 1", ITEMS_WITHOUT_VECTOR.format(2))


def test_a_fallback_scores_them_no_better(engine: Engine) -> None:
    answer = engine.rank(["i0004", "i0000", "i0002"])
    assert [(it.item_id, it.score) for it in answer.items] == [("i0002", 2.0), ("i0000", 1.0), ("i0004", None)]


def test_they_have_no_neighbours_and_are_none(engine: Engine) -> None:
    assert engine.similar("i0001").warnings == (ITEM_WITHOUT_VECTOR,)
    assert engine.similar("i0001").items == ()
    assert ids(engine.similar("i0000", k=5)) == ["i0003", "i0002", "i0005"]
    assert ids(engine.similar("i0000", k=5, filter="price < 6")) == ["i0003", "i0002"]
    assert engine.similar_to(["i0001", "i0004"]).warnings == (NO_DIRECTION,)


def test_beside_others_they_count_for_nothing_with_a_warning(engine: Engine) -> None:
    alone, beside = engine.similar("i0000", k=3), engine.similar_to(["i0000", "i0001"], ["i0004"], k=3)
    assert beside.items == alone.items
    assert beside.warnings == (ITEMS_WITHOUT_VECTOR.format(2),)
