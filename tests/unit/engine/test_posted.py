"""Items posted after the version was made: scored by their content, listed, filtered, boosted, seen and shown."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp

from recsys.artifacts.bundle import Bundle
from recsys.content.encoders.tfidf import TfidfConfig, fit_tfidf
from recsys.content.space import ContentSource, ContentSpace
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.engine import Answer, Engine, Event, PostedItem, Question
from recsys.errors import IncompleteAnswerError, InvalidRequestError, NoContentError

TITLES = ["red mug", "red mug large", "red mug small", "blue shirt", "blue shirt large", "blue shirt small"]
NEW_MUG = PostedItem("new mug", "mug red", {"price": 3.0, "day": "2026-11-28", "tags": ["kitchen"], "stock": 4})


def table() -> pa.Table:
    return pa.table(
        {
            "title": TITLES,
            "price": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
            "day": pa.array([None] * 6, pa.date32()),
            "at": pa.array([None] * 6, pa.timestamp("us")),
            "tags": pa.array([None] * 6, pa.list_(pa.string())),
            "stock": pa.array([1] * 6, pa.int64()),
            "sold": pa.array([True] * 6),
        }
    )


@pytest.fixture
def bundle(make_bundle: Callable[..., Bundle]) -> Bundle:
    """Mugs lie along the first dimension, shirts along the second."""
    items = Items(IdMap.of([f"i000{at}" for at in range(6)])[0], table())
    words = fit_tfidf(items, TfidfConfig(columns=("title",), min_items=1))
    content = ContentSpace((ContentSource("words", "tfidf", ("title",), words.encode(items).vectors, 1.0, words),))
    seen = sp.csr_matrix(np.array([[1, 1, 0, 1, 0, 0], [0, 1, 1, 0, 1, 1], [0, 0, 0, 0, 0, 0]], np.float32))
    vectors = [[2, 0], [1, 0], [3, 0], [0, 1], [0, 2], [0, 3]]
    return make_bundle(seen, [[1, 0.1], [0.1, 1], [0, 0]], vectors, table=table(), content=content)


@pytest.fixture
def engine(bundle: Bundle) -> Engine:
    engine = Engine(bundle)
    assert engine.use_posted([NEW_MUG, PostedItem("new shirt", "shirt blue")]) == 2
    return engine


def ids(answer: Answer) -> list[str]:
    return [item.item_id for item in answer.items]


def test_they_are_listed_by_the_mean_of_what_is_alike(engine: Engine) -> None:
    """A mug is as long as the mugs are on average, weighted by their cosines, and lies along them."""
    answer = engine.ask(Question(user_id="u0000", k=10))
    assert ids(answer)[:2] == ["i0002", "new mug"]
    mug = answer.items[1]
    assert 1 < mug.score < 3
    assert (mug.new, mug.title, mug.rank, mug.reasons) == (True, "mug red", 2, None)
    assert [item.rank for item in answer.items] == list(range(1, len(answer.items) + 1))
    assert ids(engine.ask(Question(user_id="u0001", k=10)))[:2] == ["new shirt", "i0003"]


CONDITIONS: dict[str, tuple[dict[str, Any], bool]] = {
    "a filter that it passes": ({"filter": "price > 2 and tags in ('kitchen')"}, True),
    "a filter that it does not pass": ({"filter": "price < 3"}, False),
    "a filter on what is unknown": ({"filter": "sold = true"}, False),
    "included": ({"include": ("new mug", "i0002")}, True),
    "alone": ({"include": ("new mug",)}, True),
    "not included": ({"include": ("i0002",)}, False),
    "excluded": ({"exclude": ("new mug",)}, False),
    "just used": ({"events": (Event("new mug"), Event("i0000"))}, False),
    "lowered": ({"boosts": {"new mug": 0.001}, "k": 1}, False),
    "raised": ({"boosts": {"new mug": 10.0}, "k": 1}, True),
}


@pytest.mark.parametrize(("extra", "is_listed"), CONDITIONS.values(), ids=CONDITIONS.keys())
def test_conditions_hold_for_them(engine: Engine, extra: dict[str, Any], is_listed: bool) -> None:
    question = Question(user_id="u0000", **{"k": 10, **extra})
    answer = engine.ask(question)
    assert ("new mug" in ids(answer)) is is_listed
    assert answer.unknown_items == ()
    assert not [it for it in answer.warnings if "does not have" in it]
    assert engine.ask_many([Question(user_id="u0001"), question])[1] == answer


def test_a_list_that_they_make_whole_is_not_short(engine: Engine) -> None:
    whole = engine.ask(Question(user_id="u0000", k=5, strict=True))
    assert (len(whole.items), whole.warnings) == (5, ())
    short = engine.ask(Question(user_id="u0000", k=6))
    assert short.warnings == ("only 5 items can be listed because of what this user has already seen",)
    with pytest.raises(IncompleteAnswerError, match="only 5 items"):
        engine.ask(Question(user_id="u0000", k=6, strict=True))


def test_unknown_ids_stay_unknown(engine: Engine) -> None:
    answer = engine.ask(Question(user_id="u0000", k=2, exclude=("new mug", "nothing")))
    assert (answer.unknown_items, answer.warnings) == (("nothing",), ("items that this version does not have: 1",))


def test_fields_are_listed(engine: Engine) -> None:
    answer = engine.ask(Question(user_id="u0000", k=2, fields=("price", "day", "sold")))
    assert answer.items[1].attributes == {"price": 3.0, "day": "2026-11-28"}


def test_a_fallback_lists_them_at_kept_places_only(engine: Engine) -> None:
    assert not {"new mug", "new shirt"} & set(ids(engine.ask(Question(k=5))))
    kept = engine.ask(Question(k=4, new_share=0.5))
    assert len({"new mug", "new shirt"} & set(ids(kept))) == 1
    assert len(kept.items) == 4


def test_kept_places_are_theirs_in_turns(bundle: Bundle) -> None:
    engine = Engine(bundle)
    engine.use_posted([PostedItem(f"mug {at:02}", "mug red") for at in range(30)])
    shown = set()
    for at in range(300):
        found = ids(engine.ask(Question(user_id=f"visitor {at}", k=4, new_share=0.5)))
        shown |= set(found)
        assert found == ids(engine.ask(Question(user_id=f"visitor {at}", k=4, new_share=0.5)))
    assert {f"mug {at:02}" for at in range(30)} <= shown


def test_they_are_shown(engine: Engine) -> None:
    view = engine.item("new mug")
    attributes = {"price": 3.0, "day": "2026-11-28", "tags": ["kitchen"], "stock": 4}
    assert (view.title, view.attributes, view.n_users, view.has_vector, view.new) == (
        "mug red",
        attributes,
        0,
        True,
        True,
    )
    views, unknown = engine.items(["new mug", "i0000", "nothing"])
    assert ({it.item_id for it in views}, unknown) == ({"i0000", "new mug"}, ("nothing",))


def test_one_of_unknown_words_is_shown_and_never_listed(bundle: Bundle) -> None:
    engine = Engine(bundle)
    engine.use_posted([PostedItem("odd", "zeppelin")])
    assert (engine.item("odd").has_vector, engine.item("odd").new) == (False, None)
    assert "odd" not in ids(engine.ask(Question(user_id="u0000", k=10, new_share=1.0)))


def test_the_version_wins_and_what_is_taken_back_is_gone(engine: Engine) -> None:
    assert engine.use_posted([PostedItem("i0000", "other"), NEW_MUG]) == 1
    assert engine.item("i0000").title == "red mug"
    assert engine.use_posted([]) == 0
    assert "new mug" not in ids(engine.ask(Question(user_id="u0000", k=10)))


def test_exact_search_lists_them_too(engine: Engine) -> None:
    question = Question(user_id="u0000", k=4)
    assert engine.with_exact_search().ask(question) == engine.ask(question)


WRONG: dict[str, dict[str, object]] = {
    "unknown": {"colour": "red"},
    "not a number": {"price": "3"},
    "a truth for a number": {"price": True},
    "not whole": {"stock": 1.5},
    "not finite": {"price": float("inf")},
    "not a day": {"day": "yesterday"},
    "not a list": {"tags": "kitchen"},
    "a list of numbers": {"tags": [1]},
    "a day before the first year in its zone": {"at": "0001-01-01T00:00+14:00"},
    "a day after the last year in its zone": {"at": "9999-12-31T23:59:59-14:00"},
    "a long list": {"tags": ["a"] * 101},
    "not a truth": {"sold": 1},
    "a long text": {"tags": ["a" * 10_001]},
}


@pytest.mark.parametrize("attributes", WRONG.values(), ids=WRONG.keys())
def test_attributes_of_another_kind_are_refused(engine: Engine, attributes: dict[str, object]) -> None:
    with pytest.raises(InvalidRequestError, match="attributes"):
        engine.check_posted(PostedItem("x", None, attributes))
    assert engine.use_posted([PostedItem("x", None, attributes)]) == 0, "one that fits another version is left out"


def test_a_version_without_content_takes_none(small: Bundle) -> None:
    with pytest.raises(NoContentError):
        Engine(small).check_posted(NEW_MUG)


def test_kept_places_that_no_posted_item_fills_are_told_as_such(engine: Engine) -> None:
    """The version itself has no new items, but there are posted ones, of which a filter leaves none."""
    none = engine.ask(Question(user_id="u0000", k=2, new_share=0.5, filter="price < 2"))
    assert (
        "only 0 of 1 places kept for new items are filled, because no other new item can be listed" in none.warnings
    )
    assert not [warning for warning in none.warnings if "has no new items" in warning]
    one = engine.ask(Question(user_id="u0000", k=4, new_share=1.0, filter="price >= 3"))
    assert [warning for warning in one.warnings if "only 1 of 4 places" in warning]
