import numpy as np
import pytest

from recsys.errors import ModelError
from recsys.models.neighbours.ease import EaseRecommender, check_memory, needed_bytes, try_regularizations
from recsys.models.neighbours.inverse import negative_inverse
from recsys.models.recommender import Queries


def _slow(dense, regularization):
    present = (dense > 0).astype(np.float64)
    inverse = np.linalg.inv(present.T @ present + regularization * np.eye(dense.shape[1]))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


@pytest.mark.parametrize("regularization", [0.5, 250.0])
@pytest.mark.parametrize("rows", [1024, 30, 7, 1])
def test_it_is_the_closed_form(groups, regularization, rows):
    model = EaseRecommender.fit(groups, regularization=regularization, rows_at_once=rows)
    np.testing.assert_allclose(model.weights, _slow(groups.csr.toarray(), regularization), rtol=1e-3, atol=1e-6)
    assert model.weights.flags.c_contiguous


def test_the_inverse_of_many_blocks_is_good_to_the_digits_of_float32():
    """As uneven as a log: a few items that everybody has, many that few have."""
    rng = np.random.default_rng(8)
    used = (rng.random((3000, 1500)) < np.minimum(0.9, 20 / np.arange(1, 1501))).astype(np.float32)
    gram = used.T @ used + 250 * np.eye(1500, dtype=np.float32)
    expected = -np.linalg.inv(gram.astype(np.float64))
    negative_inverse(gram)
    np.testing.assert_allclose(gram, expected, atol=1e-6 * np.abs(expected).max())


def test_no_other_weights_fit_better(groups):
    """The closed form is the minimum: off the diagonal, the gradient of what is minimised is zero."""
    present = (groups.csr.toarray() > 0).astype(np.float64)
    weights = EaseRecommender.fit(groups, regularization=3.0).weights.astype(np.float64)
    gradient = present.T @ (present @ weights - present) + 3.0 * weights
    np.fill_diagonal(gradient, 0)
    assert np.abs(gradient).max() < 1e-4
    assert not np.diag(weights).any()


def test_scores_are_sums_over_the_history(groups, csr):
    model = EaseRecommender.fit(groups, regularization=2.0)
    history = np.zeros((3, 30))
    history[0, [1, 4]], history[2, 20] = [1, 9], 1
    top = model.recommend(Queries(csr(history), None), 30)
    expected = _slow(groups.csr.toarray(), 2.0)
    for query, items in ((0, [1, 4]), (2, [20])):
        indices, values = top.row(query)
        assert len(indices) == 30 - len(items)
        np.testing.assert_allclose(values, expected[items].sum(axis=0)[indices], rtol=1e-3, atol=1e-6)
    assert top.counts[1] == 0


def test_groups_stay_together(groups):
    top = EaseRecommender.fit(groups).recommend(Queries(groups.csr, None), 3)
    assert (top.indices[:20] < 15).all()
    assert (top.indices[20:] >= 15).all()


def test_what_does_not_fit_into_memory_is_refused_before_anything_is_allocated(monkeypatch, groups):
    monkeypatch.setattr("recsys.models.neighbours.ease.available_bytes", lambda: 2.0 * 2**30)
    check_memory(20_000)
    assert needed_bytes(10_000) == 4 * 10_000 * (2 * 10_000 + 3 * 1024) + 2**28  # a second one for the search
    # 41k items: 6.3 GiB for the matrix, 0.7 beside it.
    with pytest.raises(ModelError, match=r"ease: 40981 items need 7\.0 GiB .* 2\.0 GiB are available; use 'rp3beta'"):
        check_memory(40_981)
    monkeypatch.setattr("recsys.models.neighbours.ease.available_bytes", lambda: 100.0)
    with pytest.raises(ModelError, match="ease: 30 items need"):
        EaseRecommender.fit(groups)


def test_what_has_no_inverse_is_refused(matrix):
    # Two items with the same users: without regularization the matrix is singular.
    with pytest.raises(ModelError, match="regularization must be above zero"):
        EaseRecommender.fit(matrix(np.ones((4, 2))), regularization=0.0)


def test_progress_reaches_the_number_of_items(groups):
    told = []
    EaseRecommender.fit(groups, regularization=250, progress=lambda *step: told.append(step), rows_at_once=20)
    assert told == [("ease", 20, 30), ("ease", 30, 30)]


def test_regularizations_are_tried_on_the_same_products(groups):
    seen = {}

    def quality(fitted):
        seen[len(seen)] = fitted.weights
        return -(float(len(seen) - 2) ** 2)  # the second is the best

    tried = try_regularizations(groups, quality)
    assert list(tried) == [100, 50, 20]
    for weights, value in zip(seen.values(), tried, strict=True):
        np.testing.assert_array_equal(weights, EaseRecommender.fit(groups, regularization=value).weights)


def test_many_items_leave_the_default(monkeypatch, groups):
    monkeypatch.setattr("recsys.models.neighbours.ease.most_values", lambda n_items: 1)
    assert try_regularizations(groups, lambda fitted: 0.0) == {}
