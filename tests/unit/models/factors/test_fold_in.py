import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from recsys.data.confidence import fit_confidence
from recsys.errors import DataError, ModelError
from recsys.models.factors.als import AlsConfig, fit_als
from recsys.models.factors.fold_in import fold_in, gram_matrix

CONFIG = AlsConfig(factors=5, regularization=0.7, alpha=3.0, iterations=60, threads=1)


def _dense_solve(confidence, items, regularization):
    """Row by row, the whole confidence matrix on the diagonal (Hu, Koren, Volinsky 2008, equation 4)."""
    items, stored = items.astype(np.float64), confidence.toarray().astype(np.float64)
    rows = []
    for row in stored:
        weight = np.diag(np.where(row > 0, row, 1))
        normal = items.T @ weight @ items + regularization * np.eye(items.shape[1])
        rows.append(np.linalg.solve(normal, items.T @ weight @ (row > 0)))
    return np.array(rows)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), weighting=st.sampled_from(["degree", "log", "bm25", "plain"]))
def test_it_is_the_dense_solve_of_each_row(seed, weighting, csr):
    rng = np.random.default_rng(seed)
    counts = csr(rng.integers(1, 5, (7, 12)) * (rng.random((7, 12)) < 0.4) + np.eye(7, 12))
    items = rng.normal(size=(12, 5)).astype(np.float32)
    fitted = fit_confidence(counts, CONFIG.model_copy(update={"weighting": weighting}))
    vectors = fold_in(counts, items, weighting=fitted, regularization=0.7)
    np.testing.assert_allclose(vectors, _dense_solve(fitted.apply(counts), items, 0.7), rtol=1e-4, atol=1e-5)
    assert vectors.dtype == np.float32


@pytest.mark.parametrize("weighting", ["degree", "plain"])
def test_a_trained_user_is_folded_in_to_where_training_put_him(confidence, weighting):
    fitted = fit_confidence(confidence, CONFIG.model_copy(update={"weighting": weighting}))
    fit = fit_als(fitted.apply(confidence), CONFIG.model_copy(update={"iterations": 300}))
    folded = fold_in(confidence, fit.items, weighting=fitted, regularization=0.7)
    np.testing.assert_allclose(folded, fit.users, atol=1e-4)


def test_it_solves_what_the_solver_solves(confidence):
    """Independent of convergence: the solver's own exact solve of every row, given the final item vectors."""
    fitted = fit_confidence(confidence, CONFIG)
    weighed = fitted.apply(confidence)
    with threadpool_limits(1, "blas"):
        solver = AlternatingLeastSquares(
            factors=5, regularization=0.7, alpha=1.0, iterations=2, random_state=1, num_threads=1, use_cg=False
        )
        solver.fit(weighed, show_progress=False)
        expected = solver.recalculate_user(np.arange(60), weighed)
    folded = fold_in(confidence, solver.item_factors, weighting=fitted, regularization=0.7)
    np.testing.assert_allclose(folded, expected, atol=1e-4)


def test_company_changes_nothing(confidence):
    fitted, items = (
        fit_confidence(confidence, CONFIG),
        np.random.default_rng(2).normal(size=(40, 5)).astype(np.float32),
    )
    together = fold_in(confidence, items, weighting=fitted, regularization=0.7)
    kept_gram = gram_matrix(items)
    for row in range(60):
        alone = fold_in(confidence[row], items, weighting=fitted, regularization=0.7, gram=kept_gram)
        np.testing.assert_allclose(alone[0], together[row], rtol=1e-5, atol=1e-7)


def test_an_empty_history_is_the_zero_vector(confidence, csr):
    fitted, items = fit_confidence(confidence, CONFIG), np.ones((40, 5), np.float32)
    vectors = fold_in(csr(np.zeros((2, 40))), items, weighting=fitted, regularization=0.7)
    np.testing.assert_array_equal(vectors, np.zeros((2, 5)))
    assert fold_in(confidence[:0], items, weighting=fitted, regularization=0.7).shape == (0, 5)


def test_inputs_are_left_alone(confidence):
    fitted, items = fit_confidence(confidence, CONFIG), np.ones((40, 5), np.float32)
    gram, history = gram_matrix(items), confidence.copy()
    fold_in(history, items, weighting=fitted, regularization=0.7, gram=gram)
    np.testing.assert_array_equal(gram, np.full((5, 5), 40.0))
    np.testing.assert_array_equal(history.data, confidence.data)
    assert (items == 1).all()


def test_a_row_without_a_unique_solution_is_refused(confidence):
    fitted = fit_confidence(confidence, CONFIG)
    with pytest.raises(ModelError, match="regularization must be above zero"):
        fold_in(confidence, np.zeros((40, 5), np.float32), weighting=fitted, regularization=0.0)


def test_histories_over_other_items_are_refused(confidence):
    fitted = fit_confidence(confidence, CONFIG)
    with pytest.raises(DataError, match="39 columns, expected the 40"):
        fold_in(confidence[:, :39], np.ones((40, 5), np.float32), weighting=fitted, regularization=0.7)
    with pytest.raises(ModelError, match="41 item vectors for a history over 40 items"):
        fold_in(confidence, np.ones((41, 5), np.float32), weighting=fitted, regularization=0.7)


def test_the_gram_matrix_is_summed_over_all_blocks():
    items = np.random.default_rng(3).normal(size=(23, 4)).astype(np.float32)
    np.testing.assert_allclose(gram_matrix(items, block_rows=5), items.T.astype(np.float64) @ items, rtol=1e-6)
