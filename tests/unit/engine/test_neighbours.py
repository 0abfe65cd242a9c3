"""Cosines: between items, between sums of items, between users."""

import numpy as np
import pytest

from recsys.artifacts.bundle import Bundle
from recsys.engine import Engine
from recsys.engine.answers import NO_DIRECTION, NO_SIMILAR_USERS
from recsys.engine.neighbours import Neighbours
from recsys.engine.new_items import NewItems
from recsys.engine.question import MAX_COMPARED
from recsys.errors import FilterError, InvalidRequestError, UnknownItemError, UnknownUserError


def test_the_sum_of_directions_less_others(engine: Engine) -> None:
    """a (1, 0) and b (0, 1) together point where c (1, 1) does; c less a is more b than d."""
    both = engine.similar_to(["i0000", "i0001"], k=3)
    assert [item.item_id for item in both.items] == ["i0002", "i0003"]
    assert both.items[0].score == pytest.approx(1.0)
    less = engine.similar_to(["i0002"], ["i0000"], k=3)
    assert [item.item_id for item in less.items] == ["i0001", "i0003"]


def test_it_is_the_slow_way(large: Bundle, large_engine: Engine) -> None:
    vectors = large.model.embeddings.items.astype(np.float64)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = unit @ (direction := unit[3] + unit[5] - unit[9]) / np.linalg.norm(direction)
    cosine[[3, 5, 9]] = -np.inf
    answer = large_engine.similar_to(["i0003", "i0005"], ["i0009"], k=40)
    assert [item.item_id for item in answer.items] == large_engine.item_ids.decode(np.argsort(-cosine)[:40])
    assert [item.score for item in answer.items] == pytest.approx(sorted(cosine)[::-1][:40], abs=1e-6)


def test_neighbours_that_pass_a_filter(large: Bundle, large_engine: Engine) -> None:
    """Few pass the first, whose vectors are gathered; most pass the second, of which too many are fetched."""
    for condition in ("id < 'i0100'", "not id < 'i0100'"):
        everybody = large_engine.similar_to(["i0003"], ["i0200"], k=1000).items
        passing = [it.item_id for it in everybody if (it.item_id < "i0100") != condition.startswith("not")]
        found = large_engine.similar_to(["i0003"], ["i0200"], k=20, filter=condition)
        assert [item.item_id for item in found.items] == passing[:20]
    short = large_engine.similar("i0003", k=20, filter="id < 'i0005'")
    assert [sorted(item.item_id for item in short.items), short.warnings] == [
        ["i0000", "i0001", "i0002", "i0004"],
        ("only 4 other items can be listed because of the filter",),
    ]
    with pytest.raises(FilterError):
        large_engine.similar("i0003", filter="price >")


def test_one_item_alone_is_similar(large_engine: Engine) -> None:
    assert large_engine.similar_to(["i0007"]) == large_engine.similar("i0007")
    assert large_engine.similar_to(["i0007", "i0007"]) == large_engine.similar("i0007")


def test_unknown_items_are_named_and_left_out(engine: Engine) -> None:
    answer = engine.similar_to(["i0000", "none"], ["nor this"], k=2)
    assert answer.unknown_items == ("none", "nor this")
    assert answer.warnings == ("items that this version does not have: 2",)
    assert answer.items == engine.similar("i0000", k=2).items
    with pytest.raises(UnknownItemError):
        engine.similar_to(["none"], ["i0000"])


def test_what_cancels_out_has_no_neighbours_and_says_so(engine: Engine) -> None:
    for negative in (["i0000"], ["i0003"]):
        answer = engine.similar_to(["i0000"], negative)
        assert (answer.items, answer.warnings) == ((), (NO_DIRECTION,))


def test_short_lists_and_bounds(engine: Engine) -> None:
    assert engine.similar_to(["i0000"], ["i0001"], k=4).warnings == ("only 2 other items can be listed",)
    with pytest.raises(InvalidRequestError, match="negative: 1001 ids came"):
        engine.similar_to(["i0000"], ["i0000"] * (MAX_COMPARED + 1))
    with pytest.raises(InvalidRequestError, match="positive: 0 bytes"):
        engine.similar_to([""])


def test_users_alike(engine: Engine) -> None:
    """u0000 (1, 0), u0001 (0, 1), u0003 (1, 1); of u0002 nothing is known."""
    answer = engine.similar_users("u0000", k=3)
    assert [(user.user_id, user.rank) for user in answer.users] == [("u0003", 1), ("u0001", 2)]
    assert [user.score for user in answer.users] == pytest.approx([0.5**0.5, 0.0])
    assert (answer.requested, answer.warnings) == (3, ("only 2 other users can be listed",))
    assert engine.similar_users("u0002").warnings == (NO_SIMILAR_USERS,)
    with pytest.raises(UnknownUserError):
        engine.similar_users("nobody")
    with pytest.raises(InvalidRequestError, match="k: expected"):
        engine.similar_users("u0000", k=0)


def test_users_are_compared_exactly_in_any_blocks(large: Bundle) -> None:
    users = large.model.embeddings.users.astype(np.float64)
    cosine = np.array([users[1] @ other / max(np.linalg.norm(other), 1e-9) for other in users])
    cosine[[1, *range(0, 160, 10)]] = -np.inf
    for rows_at_once in (7, 1_000):
        neighbours, vector = (
            Neighbours(large, NewItems.of(large), rows_at_once=rows_at_once),
            large.model.embeddings.users[1],
        )
        found = [user.user_id for user in neighbours.users("u0001", vector, k=20, own=1).users]
        assert found == large.users.decode(np.argsort(-cosine)[:20])
