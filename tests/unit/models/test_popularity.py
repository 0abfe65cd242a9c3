import numpy as np

from recsys.models.popularity import PopularityRecommender
from recsys.models.recommender import Queries

# Users of the items: 1, 3, 2, 3, 0; how much they did (100) does not count.
LOG = np.array([[100, 1, 1, 1, 0], [0, 1, 1, 1, 0], [0, 1, 0, 1, 0]])


def test_the_items_with_most_users_come_first_without_the_seen_ones(matrix, csr):
    model = PopularityRecommender.fit(matrix(LOG))
    history = csr([[0, 0, 0, 0, 0], [0, 0, 0, 1, 0], [1, 1, 1, 0, 1], [1, 1, 1, 1, 1]])
    top = model.recommend(Queries(history, None), 3)
    assert [indices.tolist() for indices, _ in top.rows()] == [[1, 3, 2], [1, 2, 0], [3], []]
    assert [scores.tolist() for _, scores in top.rows()] == [[3, 3, 2], [3, 2, 1], [3], []]
    assert model.name == "popular"


def test_every_item_that_anyone_has_used_is_ranked(matrix, csr):
    top = PopularityRecommender.fit(matrix(LOG)).recommend(Queries(csr([[0, 1, 0, 0, 0]]), None), 9)
    assert top.row(0)[0].tolist() == [3, 2, 0]
    assert top.k == 9


def test_weights_count_where_they_are_asked_for(matrix, csr):
    model = PopularityRecommender.fit_weighted(matrix(LOG))
    top = model.recommend(Queries(csr([[0, 0, 0, 0, 0], [1, 0, 0, 0, 0]]), None), 3)
    assert [indices.tolist() for indices, _ in top.rows()] == [[0, 1, 3], [1, 3, 2]]
    assert top.row(0)[1].tolist() == [100, 3, 3]
    assert model.name == "popular_weighted"
