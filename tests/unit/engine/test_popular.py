"""The most popular items for a user of whom more is known: the arm that experiments compare with."""

from recsys.artifacts.bundle import Bundle
from recsys.engine import Engine, Event, Question

POPULARITY = {"i0000": 1, "i0001": 3, "i0002": 3, "i0003": 2, "i0004": 0.5}


def popular(engine: Engine, **asked: object) -> list[tuple[str, float]]:
    answer = engine.ask(Question(k=5, popular=True, **asked))  # type: ignore[arg-type]
    assert answer.user_status == "fallback"
    return [(item.item_id, item.score) for item in answer.items]


def test_a_known_user_gets_what_is_popular_without_what_was_seen(engine: Engine) -> None:
    listed = popular(engine, user_id="u0001")  # who has seen i0001 and i0002
    assert listed == [("i0003", 2), ("i0000", 1), ("i0004", 0.5)]
    assert popular(engine, user_id="nobody") == [
        (item.item_id, item.score) for item in engine.recommend("nobody", k=5).items
    ]


def test_events_are_seen_but_say_nothing_else(engine: Engine) -> None:
    listed = popular(engine, user_id="u0000", events=(Event("i0001"),))
    assert [item for item, _ in listed] == ["i0002", "i0003", "i0004"]


def test_filters_and_boosts_hold(engine: Engine) -> None:
    assert [item for item, _ in popular(engine, user_id="u0000", filter="price > 3.5")] == ["i0003", "i0004"]
    assert popular(engine, user_id="u0002", boosts={"i0000": 10.0})[0] == ("i0000", 10)


def test_candidates_are_ranked_by_popularity(engine: Engine, small: Bundle) -> None:
    ranked = engine.rank(["i0000", "i0003", "i0001"], user_id="u0000", popular=True)
    assert [item.item_id for item in ranked.items] == ["i0001", "i0003", "i0000"]
    assert ranked.user_status == "fallback"
