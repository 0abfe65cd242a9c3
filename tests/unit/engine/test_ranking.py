"""A list does not depend on who else was asked about."""

from recsys.artifacts.bundle import Bundle
from recsys.engine import Engine


def test_near_ties_do_not_depend_on_the_batch(nearly_tied: Bundle) -> None:
    engine = Engine(nearly_tied)
    users = [f"u{number:04}" for number in range(100)]
    single = [engine.recommend(user_id, k=30).items for user_id in users]
    assert [answer.items for answer in engine.recommend_many(users, k=30)] == single
