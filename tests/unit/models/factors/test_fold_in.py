import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from recsys.data.confidence import fit_confidence
from recsys.errors import DataError, ModelError
from recsys.models.factors.als import AlsConfig
from recsys.models.factors.fold_in import UserEquations, fold_in, gram_matrix

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


@pytest.fixture(scope="module")
def histories(csr):
    """60 histories of 1 to 30 of 80 items, confidences 0.01 to 20, and item vectors of 40 factors."""
    rng = np.random.default_rng(2)
    dense = np.zeros((60, 80))
    for row, size in enumerate(np.tile(np.arange(1, 31), 2)):
        dense[row, rng.choice(80, size, replace=False)] = rng.uniform(0.01, 20, size)
    return csr(dense), rng.normal(scale=0.3, size=(80, 40)).astype(np.float32)


def test_short_and_long_histories_are_the_dense_solve(histories):
    confidence, items = histories
    vectors = UserEquations.of(items, 0.7).solve(confidence)
    np.testing.assert_allclose(vectors, _dense_solve(confidence, items, 0.7), rtol=1e-5, atol=1e-6)


def test_to_the_bit_a_row_depends_on_no_other_and_on_no_number_of_threads(histories):
    confidence, items = histories
    equations = UserEquations.of(items, 0.7)
    together = equations.solve(confidence)
    np.testing.assert_array_equal(equations.solve(confidence, threads=1), together)
    np.testing.assert_array_equal(equations.solve(confidence[::-1].copy())[::-1], together)
    for row in range(60):
        np.testing.assert_array_equal(equations.solve(confidence[row])[0], together[row])


def test_many_blocks_of_rows_are_put_together_and_told(histories):
    confidence, items = histories
    many, told = sp.vstack([confidence] * 80, format="csr"), []
    equations = UserEquations.of(items, 0.7)
    out = np.ones((4800, 40), np.float32)
    vectors = equations.solve(many, out=out, progress=lambda *step: told.append(step))
    assert vectors is out
    np.testing.assert_array_equal(vectors, np.tile(equations.solve(confidence), (80, 1)))
    assert len(told) > 1
    assert told[-1] == ("users", 4800, 4800)


@pytest.mark.parametrize("regularization", [0.0, 1e-9, 1e-3, 10.0])
@pytest.mark.parametrize("size", [4, 30])
@pytest.mark.parametrize("low", [1e-6, 1.0, 1e6])
def test_extreme_confidences_and_narrow_items_keep_their_digits(csr, regularization, size, low):
    rng = np.random.default_rng(5)
    items = (rng.normal(size=(80, 20)) * 10.0 ** np.linspace(0, -2, 20)).astype(np.float32)
    row = np.zeros((1, 80))
    row[0, :size] = low * rng.uniform(1, 2, size)
    confidence = csr(row)
    vectors = UserEquations.of(items, regularization).solve(confidence)
    np.testing.assert_allclose(vectors, _dense_solve(confidence, items, regularization), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("regularization", [0.0, 1e-18])
@pytest.mark.parametrize("size", [1, 30])
def test_items_that_leave_a_direction_free_have_no_unique_solution(csr, regularization, size):
    items = np.ones((40, 10), np.float32)
    row = np.zeros((1, 40))
    row[0, :size] = 3
    with pytest.raises(ModelError, match="no unique solution"):
        UserEquations.of(items, regularization).solve(csr(row))


def test_an_empty_history_is_the_zero_vector(confidence, csr):
    fitted, items = fit_confidence(confidence, CONFIG), np.ones((40, 5), np.float32)
    vectors = fold_in(csr(np.zeros((2, 40))), items, weighting=fitted, regularization=0.7)
    np.testing.assert_array_equal(vectors, np.zeros((2, 5)))
    assert fold_in(confidence[:0], items, weighting=fitted, regularization=0.7).shape == (0, 5)


def test_inputs_are_left_alone(confidence):
    fitted, items = fit_confidence(confidence, CONFIG), np.ones((40, 5), np.float32)
    history = confidence.copy()
    fold_in(history, items, weighting=fitted, regularization=0.7)
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


@pytest.mark.parametrize("d", [2, 30])
def test_items_that_are_not_counted_were_not_refused_by_anybody(d, csr):
    """A dense solve in which a pair that is not stored weighs 1, or 0 if nobody could have chosen the item."""
    rng = np.random.default_rng(3)
    items = rng.normal(size=(12, d)).astype(np.float32)
    stored = rng.uniform(0.2, 4, (7, 12)) * (rng.random((7, 12)) < 0.3) + np.eye(7, 12)
    counted = np.arange(12) % 3 > 0
    confidence = csr(stored)
    equations = UserEquations.of(items, 0.7, counted=counted)
    expected = []
    for row in confidence.toarray().astype(np.float64):
        weight = np.where(row > 0, row, counted)
        normal = (items.T * weight) @ items.astype(np.float64) + 0.7 * np.eye(d)
        expected.append(np.linalg.solve(normal, items.T.astype(np.float64) @ row))
    np.testing.assert_allclose(equations.solve(confidence), expected, rtol=2e-4, atol=1e-5)
    scores = items.astype(np.float64) @ expected[0]
    parts = equations.contributions(confidence[[0]], np.arange(12, dtype=np.int32))
    np.testing.assert_allclose(parts.sum(axis=1), scores, rtol=1e-4, atol=1e-5)


def test_zero_vectors_count_or_not_with_the_same_bits(csr):
    rng = np.random.default_rng(4)
    items = rng.normal(size=(12, 5)).astype(np.float32)
    items[[2, 5]] = 0
    history = csr(rng.integers(1, 5, (7, 12)) * (rng.random((7, 12)) < 0.4))
    counted = np.ones(12, bool)
    counted[[2, 5]] = False
    plain, without = UserEquations.of(items, 0.7), UserEquations.of(items, 0.7, counted=counted)
    assert plain.solve(history).tobytes() == without.solve(history).tobytes()
