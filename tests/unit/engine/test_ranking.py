"""A list does not depend on the other lists of a batch, nor on the order in which a processor adds up."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from recsys.artifacts.bundle import Bundle
from recsys.engine import Answer, Engine, Question
from recsys.engine.answers import UserAnswer
from recsys.models.neighbours.weights import NeighbourWeights


@pytest.fixture(scope="module", params=[False, True], ids=["vectors alone", "neighbours"])
def kernels(request: pytest.FixtureRequest, nearly_tied: Bundle, other_kernel: Bundle) -> tuple[Bundle, Bundle]:
    """The same version as two processors see it; perhaps with neighbours, who add the same to most near-ties."""
    bundles = nearly_tied, other_kernel
    if not request.param:
        return bundles
    rng = np.random.default_rng(4)
    weights = sp.random(3_000, 300, density=0.01, format="csr", rng=rng, dtype=np.float32)
    weights = sp.csr_matrix(sp.kron(weights, np.ones((1, 10), np.float32)))
    weights.setdiag(0)
    weights.eliminate_zeros()
    neighbours = NeighbourWeights(sp.csr_matrix(weights, dtype=np.float32), 0.5)
    one, other = (replace(bundle, model=bundle.model.with_neighbours(neighbours)) for bundle in bundles)
    return one, other


def test_near_ties_do_not_depend_on_the_batch(kernels: tuple[Bundle, Bundle]) -> None:
    engine = Engine(kernels[0])
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
    kernels: tuple[Bundle, Bundle], ask: Callable[[Engine, str, str], Answer | UserAnswer]
) -> None:
    one, other = map(Engine, kernels)
    for number in range(100):
        names = f"u{number:04}", f"i{number:04}"
        assert replace(ask(other, *names), model_version=one.version) == ask(one, *names)
