"""Given items, in the order of a user's scores."""

import pytest

from recsys.engine import Engine, Event
from recsys.engine.answers import NO_USER, UNKNOWN_USER
from recsys.engine.question import MAX_CANDIDATES
from recsys.errors import InvalidRequestError


def test_known_ones_by_score_then_unknown_ones_as_they_came(engine: Engine) -> None:
    """u0000 (1, 0): a scores 1 though seen, b 0, d 2."""
    answer = engine.rank(["none", "i0001", "i0000", "i0003", "i0001", "nor this"], user_id="u0000")
    assert [(it.item_id, it.score, it.rank, it.known) for it in answer.items] == [
        ("i0003", 2.0, 1, True),
        ("i0000", 1.0, 2, True),
        ("i0001", 0.0, 3, True),
        ("none", None, 4, False),
        ("nor this", None, 5, False),
    ]
    assert answer.items[0].title == "D"
    assert (answer.user_status, answer.unknown_items) == ("known", ("none", "nor this"))
    assert answer.warnings == ("items that this version does not have: 2",)


def test_scores_are_those_of_the_list(large_engine: Engine) -> None:
    for user, events in (("u0001", ()), (None, (Event("i0005"), Event("i0009")))):
        listed = large_engine.recommend(user, k=50).items if user else ()
        asked = [item.item_id for item in listed][::-1] or ["i0001", "i0002", "i0003"]
        answer = large_engine.rank(asked, user_id=user, events=events)
        if user:
            assert [(it.item_id, it.score) for it in answer.items] == [(it.item_id, it.score) for it in listed]
        else:
            assert answer.user_status == "folded_in"


def test_of_whom_nothing_is_known_popularity_decides(engine: Engine) -> None:
    answer = engine.rank(["i0004", "i0003", "i0001"], user_id="nobody")
    assert [it.item_id for it in answer.items] == ["i0001", "i0003", "i0004"]
    assert (answer.user_status, answer.warnings) == ("fallback", (UNKNOWN_USER,))
    assert engine.rank(["i0001"]).warnings == (NO_USER,)
    assert engine.rank([], user_id="u0000").items == ()


def test_bounds(engine: Engine) -> None:
    with pytest.raises(InvalidRequestError, match="item_ids: 10001 ids came"):
        engine.rank(["a"] * (MAX_CANDIDATES + 1), user_id="u0000")
    with pytest.raises(InvalidRequestError, match="user_id: 0 bytes"):
        engine.rank(["a"], user_id="")
