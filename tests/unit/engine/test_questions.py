"""Lists with conditions: each compared with the slow way, all scores at hand."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.artifacts.bundle import Bundle
from recsys.engine import Answer, Engine, Event, Question
from recsys.engine.question import MAX_BOOSTED, MAX_LISTED
from recsys.errors import (
    FilterError,
    IncompleteAnswerError,
    InvalidRequestError,
    UnknownItemError,
    UnknownUserError,
)


def ids(answer: Answer) -> list[str]:
    return [item.item_id for item in answer.items]


def item_ids(numbers: Sequence[int]) -> tuple[str, ...]:
    return tuple(f"i{number:04}" for number in numbers)


# --- only these, never those --------------------------------------------------------------------------------------


def test_a_filter_leaves_what_passes(engine: Engine) -> None:
    """u0000 has seen i0000; b (0), c (1), d (2) cost nothing known, 3 and 4, e (0) costs 5."""
    assert ids(engine.ask(Question(user_id="u0000", k=2, filter="price > 2"))) == ["i0003", "i0002"]
    short = engine.ask(Question(user_id="u0000", k=5, filter="price < 4"))
    assert ids(short) == ["i0002"]
    assert short.warnings == ("only 1 item can be listed because of the filter and what this user has already seen",)
    assert short.user_status == "known"


def test_a_filter_that_nothing_passes_is_no_fallback(engine: Engine) -> None:
    answer = engine.ask(Question(user_id="u0000", k=1, filter="price > 1000"))
    assert (answer.user_status, answer.items) == ("known", ())
    assert answer.warnings == ("no item can be listed because of the filter and what this user has already seen",)


def test_everybodys_lists_through_a_filter(large_engine: Engine) -> None:
    """With few items and with most of them, for known users and for those without a vector."""
    for condition in ("id < 'i0040'", "id > 'i0040'"):
        pages = list(large_engine.iter_all(7, batch=50, filter=condition))
        found = [large_engine.item_ids.decode(indices) for _, top in pages for indices, _ in top.rows()]
        questions = [Question(user_id=user, k=7, filter=condition) for users, _ in pages for user in users]
        assert found == [ids(answer) for answer in large_engine.ask_many(questions)]
        assert len(found[0]) == 7


def test_a_filter_that_was_asked_for_is_compiled(small: Bundle) -> None:
    engine = Engine(small)
    assert not engine.has_compiled("price > 2")
    engine.ask(Question(filter="price > 2"))
    assert engine.has_compiled("price > 2")


def test_fallbacks_are_filtered_too(engine: Engine) -> None:
    answer = engine.ask(Question(user_id="nobody", k=2, filter="price >= 3"))
    assert (answer.user_status, ids(answer)) == ("fallback", ["i0002", "i0003"])
    assert ids(engine.ask(Question(user_id="u0002", k=5, filter="price >= 3"))) == ["i0002", "i0004"]


def test_included_and_excluded(engine: Engine) -> None:
    included = engine.ask(Question(user_id="u0000", k=3, include=("i0002", "i0001", "i0000", "none")))
    assert ids(included) == ["i0002", "i0001"]
    assert included.unknown_items == ("none",)
    assert included.warnings == (
        "items that this version does not have: 1",
        "only 2 items can be listed because of `include` and what this user has already seen",
    )
    excluded = engine.ask(Question(k=4, exclude=("i0001", "gone"), include=("i0001", "i0003"), filter="price > 0"))
    assert ids(excluded) == ["i0003"]
    assert excluded.warnings[-1] == "only 1 item can be listed because of the filter, `include` and `exclude`"
    assert excluded.unknown_items == ("gone",)
    assert "i0003" not in ids(engine.ask(Question(user_id="u0000", exclude=("i0003",), exclude_seen=False)))


def _brute(bundle: Bundle, user: int, allowed: Any, boosts: dict[int, float]) -> list[int]:
    """Every score, in double precision, multiplied by hand, sorted."""
    scores = bundle.model.embeddings.users[user].astype(np.float64) @ bundle.model.embeddings.scoring_items.T
    for item, factor in boosts.items():
        scores[item] *= factor if scores[item] > 0 else 1 / factor
    left = [item for item in np.argsort(-scores, kind="stable") if allowed[item]]
    return [int(item) for item in left if item not in set(bundle.history[user].indices.tolist())]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 9_999), share=st.sampled_from([0.002, 0.05, 0.9]), k=st.sampled_from([1, 10, 60]))
def test_it_is_the_slow_way(large: Bundle, large_engine: Engine, seed: int, share: float, k: int) -> None:
    rng = np.random.default_rng(seed)
    user = int(rng.choice([1, 2, 57, 159]))
    included, excluded = rng.random(3_000) < share, rng.random(3_000) < 0.1
    boosts = {int(item): float(rng.choice([0.1, 0.9, 1.5, 50])) for item in rng.integers(0, 3_000, 20)}
    question = Question(
        user_id=f"u{user:04}",
        k=k,
        include=item_ids(np.flatnonzero(included)) or ("none",),
        exclude=item_ids(np.flatnonzero(excluded)),
        boosts={f"i{item:04}": factor for item, factor in boosts.items()},
    )
    found = large_engine.ask(question)
    assert ids(found) == list(item_ids(_brute(large, user, included & ~excluded, boosts)[:k]))
    assert large_engine.ask_many([question, Question(user_id="u0001"), question])[2] == found


# --- boosts -------------------------------------------------------------------------------------------------------


def test_boosts_lift_and_lower(large_engine: Engine) -> None:
    plain = large_engine.recommend("u0001", k=1_000)
    first, last = plain.items[0], plain.items[-1]
    lifted = large_engine.ask(Question(user_id="u0001", k=5, boosts={last.item_id: 1_000.0}))
    assert lifted.items[0].item_id == last.item_id
    assert lifted.items[0].score == pytest.approx(1_000 * last.score, rel=1e-5)
    lowered = large_engine.ask(Question(user_id="u0001", k=5, boosts={first.item_id: 0.001}))
    assert ids(lowered) == ids(plain)[1:6]


def test_a_boost_brings_back_nothing_that_was_left_out(engine: Engine) -> None:
    boosts = {"i0000": 100.0, "i0001": 100.0, "i0002": 0.5, "none": 2.0}
    answer = engine.ask(Question(user_id="u0000", k=2, boosts=boosts, exclude=("i0001",), filter="price > 1"))
    assert ids(answer) == ["i0003", "i0002"]
    assert answer.items[1].score == 0.5
    assert answer.unknown_items == ("none",)


def test_boosted_fallbacks_and_reasons(engine: Engine, large_engine: Engine) -> None:
    assert ids(engine.ask(Question(k=2, boosts={"i0004": 10.0}))) == ["i0004", "i0001"]
    item_id = large_engine.recommend("u0001", k=1).items[0].item_id
    question = Question(user_id="u0001", k=1, boosts={item_id: 3.0}, explain=True)
    (lifted,) = large_engine.ask(question).items
    (plain,) = large_engine.ask(Question(user_id="u0001", k=1, explain=True)).items
    assert lifted.reasons is not None
    assert plain.reasons is not None
    contributions = [reason.contribution for reason in lifted.reasons]
    assert contributions == pytest.approx([3 * reason.contribution for reason in plain.reasons])
    assert sum(contributions) + (lifted.rest or 0) == pytest.approx(lifted.score)


# --- strict -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "error", "message"),
    [
        (Question(user_id="nobody", k=2), UnknownUserError, "no such user"),
        (Question(user_id="nobody", k=2, events=(Event("i0001"),)), UnknownUserError, "no such user"),
        (Question(user_id="u0000", k=1, exclude=("none",)), UnknownItemError, "this version: 'none'"),
        (
            Question(k=1, events=(Event("i0001"), Event("none"))),
            UnknownItemError,
            "this version: 'none'",
        ),
        (Question(k=1), IncompleteAnswerError, "neither a user nor an event"),
        (Question(user_id="u0002", k=1), IncompleteAnswerError, "no learned vector"),
        (Question(user_id="u0000", k=5), IncompleteAnswerError, "only 3 items can be listed"),
        (Question(user_id="u0003", k=1), IncompleteAnswerError, "no item can be listed"),
    ],
)
def test_strict_questions_get_whole_answers_or_none(
    engine: Engine, question: Question, error: type[Exception], message: str
) -> None:
    asked = {**vars(question), "strict": True}
    assert engine.ask(question).warnings
    with pytest.raises(error, match=message):
        engine.ask(Question(**asked))


def test_a_strict_question_with_a_whole_answer_gets_it(engine: Engine) -> None:
    assert engine.ask(Question(user_id="u0000", k=3, strict=True)) == engine.recommend("u0000", k=3)
    told = Question(events=(Event("i0001"),), k=3)
    assert engine.ask(Question(**{**vars(told), "strict": True})) == engine.ask(told)


# --- bounds -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"k": 0}, "k: expected"),
        ({"user_id": ""}, "user_id: 0 bytes"),
        ({"include": ()}, "include: holds no id"),
        ({"include": ("",)}, "include: 0 bytes"),
        ({"exclude": ("\ud800",)}, "exclude: holds a character"),
        ({"exclude": ("x",) * (MAX_LISTED + 1)}, "exclude: 10001 ids came; expected at most 10000"),
        ({"boosts": {str(number): 1.0 for number in range(MAX_BOOSTED + 1)}}, "boosts: 1001 ids came"),
        ({"boosts": {"a": 0.0}}, "boosts: expected a number from 0.001 to 1000"),
        ({"boosts": {"a": float("nan")}}, "boosts: expected a number"),
        ({"boosts": {"a": "2"}}, "boosts: expected a number"),
        ({"diversity": 1.5}, "diversity: expected a number from 0 to 1"),
        ({"diversity": float("nan")}, "diversity: expected a number"),
    ],
)
def test_bounds(engine: Engine, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        engine.ask(Question(**wrong))


def test_of_many_questions_the_one_that_is_wrong_is_named(engine: Engine) -> None:
    with pytest.raises(InvalidRequestError, match=r"^question 1: diversity: expected a number"):
        engine.ask_many([Question(k=1), Question(diversity=2.0)])


def test_a_filter_that_cannot_be_read_is_refused(engine: Engine) -> None:
    with pytest.raises(FilterError, match="filter"):
        engine.ask(Question(filter="price >"))
