import numpy as np
import pytest
import scipy.sparse as sp

from recsys.content.cold_start.mapping import EVIDENCE, as_long_as, fit_ridge, lengths, neighbour_mean, summed


def test_a_mean_has_the_mean_length_of_its_neighbours_if_asked_for() -> None:
    items = np.array([[2, 0], [0, 4]], np.float32)
    means = sp.csr_matrix(np.array([[0.5, 0.5], [1, 0], [0, 0]], np.float32))
    plain = neighbour_mean(means, items, full_length=False)
    assert plain.tolist() == [[1, 2], [2, 0], [0, 0]]
    full = neighbour_mean(means, items, full_length=True)
    assert lengths(full).tolist() == pytest.approx([3, 2, 0])
    np.testing.assert_allclose(full[0], plain[0] * (3 / np.sqrt(5)), rtol=1e-6)


def test_a_sum_points_between_both_and_keeps_the_length_of_the_first() -> None:
    both = summed(np.array([[3, 0], [0, 0]], np.float32), np.array([[0, 1], [0, 2]], np.float32))
    np.testing.assert_allclose(both, [[3 / np.sqrt(2)] * 2, [0, 2]], rtol=1e-6)


def test_a_vector_gets_the_length_of_another_one_if_that_has_any() -> None:
    long = as_long_as(np.array([[3, 4], [1, 0]], np.float32), np.array([[0, 1], [0, 0]], np.float32))
    np.testing.assert_allclose(long, [[0.6, 0.8], [1, 0]], rtol=1e-6)


def test_ridge_is_the_minimum_of_its_objective() -> None:
    rng = np.random.default_rng(2)
    content, items = rng.standard_normal((30, 4)).astype(np.float32), rng.standard_normal((30, 3)).astype(np.float32)
    degree = rng.integers(1, 50, 30).astype(np.float32)
    warm = np.arange(30, dtype=np.int32)
    ridge = fit_ridge(lambda at: content[at], warm, items, degree, strength=0.5)
    weight = degree / (degree + EVIDENCE)
    gram = content.T.astype(np.float64) @ (content * weight[:, None])
    gradient = gram @ ridge.coefficients - (content * weight[:, None]).T @ items
    gradient += 0.5 * np.trace(gram) / 4 * ridge.coefficients
    np.testing.assert_allclose(gradient, 0, atol=1e-4)
    np.testing.assert_allclose(ridge(lambda at: content[at], warm[:2]), content[:2] @ ridge.coefficients, rtol=1e-5)


def test_evidence_decides_between_items_that_disagree() -> None:
    content = np.ones((2, 1), np.float32)
    items = np.array([[0.0], [1.0]], np.float32)
    both = np.array([0, 1], np.int32)
    much = fit_ridge(lambda at: content[at], both, items, np.array([1, 1000], np.float32), strength=1e-6)
    assert much.coefficients[0, 0] > 0.9
