"""A list does not depend on who else was asked about."""

import numpy as np

from recsys.artifacts.bundle import Bundle
from recsys.engine import Engine
from recsys.engine.ranking import rescored
from recsys.models.factors.embeddings import Embeddings
from recsys.retrieval.topk import TopK


def test_near_ties_do_not_depend_on_the_batch(nearly_tied: Bundle) -> None:
    engine = Engine(nearly_tied)
    users = [f"u{number:04}" for number in range(100)]
    single = [engine.recommend(user_id, k=30).items for user_id in users]
    assert [answer.items for answer in engine.recommend_many(users, k=30)] == single


def test_candidates_are_put_in_the_order_of_exact_products() -> None:
    """Products with (1, 2): item 0 gives 5, items 1 and 3 give 4, item 2 gives 6 with its scale of 3."""
    items = np.array([[1, 2], [2, 1], [0, 1], [4, 0]], np.float32)
    embeddings = Embeddings(np.array([[1, 2]], np.float32), items, np.array([1, 1, 3, 1], np.float32))
    found = TopK(
        np.array([[3, 1, 0, 2, -1]], np.int32),
        np.array([[9, 8, 7, 6, -np.inf]], np.float32),
        np.array([4], np.int32),
    )
    top = rescored(found, embeddings.users, embeddings, k=5)
    indices, scores = top.row(0)
    assert indices.tolist() == [2, 0, 1, 3]
    assert scores.tolist() == [6, 5, 4, 4]
    assert rescored(found, embeddings.users, embeddings, k=2).row(0)[0].tolist() == [2, 0]


def test_blocks_change_nothing(large: Bundle) -> None:
    embeddings = large.model.embeddings
    users = embeddings.users[1:9]
    found = large.index.search(users, 12)
    whole = rescored(found, users, embeddings, k=10)
    in_blocks = rescored(found, users, embeddings, k=10, gathered_per_block=3 * 12 * embeddings.factors)
    np.testing.assert_array_equal(in_blocks.indices, whole.indices)
    np.testing.assert_array_equal(in_blocks.scores, whole.scores)
