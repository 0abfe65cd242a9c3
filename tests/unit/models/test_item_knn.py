import numpy as np
import pytest

from recsys.models.item_knn import ItemKnnRecommender
from recsys.models.recommender import Queries

# Users 0, 1 like items 0 and 1; user 2 likes 1 and 2; user 3 likes 3 alone. Weights do not count.
LOG = np.array([[1, 9, 0, 0, 0], [2, 1, 0, 0, 0], [0, 1, 1, 0, 0], [0, 0, 0, 7, 0]])


def _slow_similarity(dense, neighbours):
    """Deshpande and Karypis, written out: unit rows, cosine of columns, the nearest few, divided by their sum."""
    present = (dense > 0).astype(np.float64)
    rows = present / np.maximum(np.linalg.norm(present, axis=1, keepdims=True), 1e-12)
    length = np.maximum(np.linalg.norm(rows, axis=0), 1e-12)
    cosine = (rows.T @ rows) / np.outer(length, length)
    np.fill_diagonal(cosine, 0)
    nearest = np.zeros_like(cosine)
    for item, row in enumerate(cosine):
        kept = [at for at in np.argsort(-row, kind="stable")[:neighbours] if row[at] > 0]
        nearest[item, kept] = row[kept] / row[kept].sum()
    return nearest


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
    # What is nobody's neighbour follows by popularity, below zero: items have 2, 3, 1, 1 and 0 users.
    assert [indices.tolist() for indices, _ in top.rows()] == [[0, 2, 3, 4], [1, 3, 4], [1, 0, 2, 3]]
    np.testing.assert_allclose(top.row(1)[1], [2, -1 / 2, -1], rtol=1e-6)
    np.testing.assert_allclose(top.row(2)[1], [-1 / 4, -1 / 3, -1 / 2, -1 / 2], rtol=1e-6)


@pytest.mark.parametrize("neighbours", [1, 4, 100])
@pytest.mark.parametrize("block", [10**6, 200, 1])
def test_it_is_the_slow_reference_in_blocks_of_any_size(monkeypatch, groups, neighbours, block):
    monkeypatch.setattr("recsys.models.item_knn._SIMILARITIES_PER_BLOCK", block)
    model = ItemKnnRecommender.fit(groups, neighbours=neighbours)
    dense = groups.csr.toarray()
    similarity = _slow_similarity(dense, neighbours)
    # Near-ties at the border may fall either way, so what is compared is what each item's kept ones add up to.
    ours = np.sort(model.similarity.toarray(), axis=1)
    np.testing.assert_allclose(ours, np.sort(similarity, axis=1), atol=1e-5)
    if neighbours == 100:
        np.testing.assert_allclose(model.similarity.toarray(), similarity, atol=1e-5)


def test_scores_are_sums_over_the_history(groups):
    model = ItemKnnRecommender.fit(groups)
    scores = (groups.csr.toarray() > 0) @ _slow_similarity(groups.csr.toarray(), 100)
    for user, (indices, values) in enumerate(model.recommend(Queries(groups.csr, None), 5).rows()):
        near = values > 0
        np.testing.assert_allclose(values[near], scores[user, indices[near]], rtol=1e-4)
        unseen = np.where(groups.csr[user].toarray()[0] == 0, scores[user], -1)
        assert values[0] == pytest.approx(unseen.max(), rel=1e-4)


def test_groups_stay_together(groups):
    top = ItemKnnRecommender.fit(groups).recommend(Queries(groups.csr, None), 3)
    assert (top.indices[:20] < 15).all()
    assert (top.indices[20:] >= 15).all()


def test_progress_reaches_the_number_of_items(monkeypatch, groups):
    monkeypatch.setattr("recsys.models.item_knn._SIMILARITIES_PER_BLOCK", 30 * 20)
    told = []
    ItemKnnRecommender.fit(groups, progress=lambda *step: told.append(step))
    assert told == [("item k-NN", 20, 30), ("item k-NN", 30, 30)]
