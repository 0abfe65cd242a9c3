"""A list does not depend on the other lists of a batch, nor on the order in which a processor adds up."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from recsys.artifacts.bundle import Bundle
from recsys.engine import Answer, Engine, Question
from recsys.engine.answers import UserAnswer


def test_near_ties_do_not_depend_on_the_batch(nearly_tied: Bundle) -> None:
    engine = Engine(nearly_tied)
    users = [f"u{number:04}" for number in range(100)]
    single = [engine.recommend(user_id, k=30).items for user_id in users]
    assert [answer.items for answer in engine.recommend_many(users, k=30)] == single


LISTS: dict[str, Callable[[Engine, str, str], Answer | UserAnswer]] = {
    "recommend": lambda engine, user, _: engine.recommend(user, k=30),
    "filter": lambda engine, user, _: engine.ask(Question(user_id=user, k=30, filter="id > 'i1000'")),
    "diversity": lambda engine, user, _: engine.ask(Question(user_id=user, k=30, diversity=0.5)),
    "similar": lambda engine, _, item: engine.similar(item, k=30),
    "similar users": lambda engine, user, _: engine.similar_users(user, k=30),
}


@pytest.mark.parametrize("ask", LISTS.values(), ids=LISTS.keys())
def test_near_ties_do_not_depend_on_the_order_of_summation(
    nearly_tied: Bundle, other_kernel: Bundle, ask: Callable[[Engine, str, str], Answer | UserAnswer]
) -> None:
    one, other = Engine(nearly_tied), Engine(other_kernel)
    for number in range(100):
        names = f"u{number:04}", f"i{number:04}"
        assert replace(ask(other, *names), model_version=one.version) == ask(one, *names)
