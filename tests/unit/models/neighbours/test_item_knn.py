import numpy as np
import pytest

from recsys.models.neighbours.item_knn import ItemKnnRecommender
from recsys.models.recommender import Queries

# Users 0, 1 like items 0 and 1; user 2 likes 1 and 2; user 3 likes 3 alone. Weights do not count.
LOG = np.array([[1, 9, 0, 0, 0], [2, 1, 0, 0, 0], [0, 1, 1, 0, 0], [0, 0, 0, 7, 0]])


def _shares(similarity, neighbours):
    """The nearest few of each row but itself, divided by their sum."""
    nearest = np.zeros_like(similarity)
    for item, row in enumerate(similarity):
        kept = [at for at in np.argsort(-row, kind="stable") if at != item and row[at] > 0][:neighbours]
        nearest[item, kept] = row[kept] / row[kept].sum()
    return nearest


def _slow_cosine(dense, neighbours):
    """Deshpande and Karypis, written out: unit rows, cosine of columns."""
    present = (dense > 0).astype(np.float64)
    rows = present / np.maximum(np.linalg.norm(present, axis=1, keepdims=True), 1e-12)
    length = np.maximum(np.linalg.norm(rows, axis=0), 1e-12)
    return _shares((rows.T @ rows) / np.outer(length, length), neighbours)


def _slow_bm25(dense, neighbours, *, k1, b):
    """An item a document, a user a term, what they did the term's frequency."""
    frequency = dense.T.astype(np.float64)
    n_items, n_users = frequency.shape
    length = frequency.sum(axis=1)
    weight = np.zeros_like(frequency)
    for item in range(n_items):
        norm = k1 * (1 - b + b * length[item] / length.mean())
        for user in range(n_users):
            used = (frequency[:, user] > 0).sum()
            idf = np.log(1 + (n_items - used + 0.5) / (used + 0.5))
            weight[item, user] = idf * frequency[item, user] * (k1 + 1) / (frequency[item, user] + norm)
    return _shares(weight @ weight.T, neighbours)


def test_a_small_log_by_hand(matrix, csr):
    model = ItemKnnRecommender.fit(matrix(LOG))
    # Item 1 shares both users of item 0 (cosine 2/sqrt(6)) and the one of item 2 (1/sqrt(3)).
    near, far = 2 / np.sqrt(6), 1 / np.sqrt(3)
    expected = np.zeros((5, 5))
    expected[0, 1] = expected[2, 1] = 1
    expected[1, [0, 2]] = np.array([near, far]) / (near + far)
    np.testing.assert_allclose(model.similarity.toarray(), expected, rtol=1e-6)
    assert model.similarity.nnz == 4
    top = model.recommend(Queries(csr([[0, 1, 0, 0, 0], [1, 0, 1, 0, 0], [0, 0, 0, 0, 0]]), None), 4)
    # Other items follow by popularity, below zero: they have 2, 3, 1, 1 and 0 users; the last is left out.
    assert [indices.tolist() for indices, _ in top.rows()] == [[0, 2, 3], [1, 3], [1, 0, 2, 3]]
    np.testing.assert_allclose(top.row(1)[1], [2, -1 / 2], rtol=1e-6)
    np.testing.assert_allclose(top.row(2)[1], [-1 / 4, -1 / 3, -1 / 2, -1 / 2], rtol=1e-6)


@pytest.mark.parametrize("neighbours", [1, 4, 100])
def test_it_is_the_slow_reference(groups, neighbours):
    similarity = ItemKnnRecommender.fit(groups, neighbours=neighbours).similarity.toarray()
    expected = _slow_cosine(groups.csr.toarray(), neighbours)
    # Near-ties at the border may fall either way, so what is compared is what each item's kept ones add up to.
    np.testing.assert_allclose(np.sort(similarity, axis=1), np.sort(expected, axis=1), atol=1e-5)
    if neighbours == 100:
        np.testing.assert_allclose(similarity, expected, atol=1e-5)


@pytest.mark.parametrize("neighbours", [1, 100])
@pytest.mark.parametrize("settings", [{"k1": 1.2, "b": 0.75}, {"k1": 100.0, "b": 0.0}])
def test_bm25_is_the_slow_reference(groups, neighbours, settings):
    model = ItemKnnRecommender.fit_bm25(groups, neighbours=neighbours, **settings)
    expected = _slow_bm25(groups.csr.toarray(), neighbours, **settings)
    np.testing.assert_allclose(model.similarity.toarray(), expected, atol=1e-5)
    assert model.name == "item_knn_bm25"


def test_how_much_a_user_did_counts_for_bm25_alone(matrix):
    much = matrix(LOG * np.array([[1], [50], [1], [1]]))
    once = matrix(LOG)
    cosine, bm25 = (
        [fit(log).similarity.toarray() for log in (much, once)]
        for fit in (ItemKnnRecommender.fit, ItemKnnRecommender.fit_bm25)
    )
    np.testing.assert_array_equal(*cosine)
    assert bm25[0][1, 0] > bm25[1][1, 0]


def test_scores_are_sums_over_the_history(groups):
    model = ItemKnnRecommender.fit(groups)
    scores = (groups.csr.toarray() > 0) @ _slow_cosine(groups.csr.toarray(), 100)
    for user, (indices, values) in enumerate(model.recommend(Queries(groups.csr, None), 5).rows()):
        near = values > 0
        np.testing.assert_allclose(values[near], scores[user, indices[near]], rtol=1e-4)
        unseen = np.where(groups.csr[user].toarray()[0] == 0, scores[user], -1)
        assert values[0] == pytest.approx(unseen.max(), rel=1e-4)


@pytest.mark.parametrize("fit", [ItemKnnRecommender.fit, ItemKnnRecommender.fit_bm25])
def test_groups_stay_together(groups, fit):
    top = fit(groups).recommend(Queries(groups.csr, None), 3)
    assert (top.indices[:20] < 15).all()
    assert (top.indices[20:] >= 15).all()
