import numpy as np
import pytest
from scipy.optimize import minimize

from recsys.errors import ModelError
from recsys.models.factors.item_solve import solve_items
from recsys.models.factors.objective import AlsObjective


@pytest.mark.parametrize("objective", [AlsObjective(0.7), AlsObjective(0.4, 0.5, 0.3)])
def test_it_is_the_minimum_of_the_objective(objective, csr):
    rng = np.random.default_rng(5)
    users = rng.normal(size=(14, 4)).astype(np.float32)
    mean = rng.normal(size=(5, 4)).astype(np.float32)
    stored = rng.uniform(0.2, 5, (5, 14)) * (rng.random((5, 14)) < 0.3)
    stored[0] = 0
    confidence = csr(stored)
    solved = solve_items(confidence, users, mean, objective, strength=2.5)
    for row, own, vector in zip(confidence.toarray().astype(np.float64), mean, solved, strict=True):
        weight = np.where(row > 0, row, objective.unobserved_weight)
        pull = 2.5 * objective.row_regularization(np.array([np.count_nonzero(row)]), 14)[0]

        def loss(y, row=row, own=own, weight=weight, pull=pull):
            return weight @ ((row > 0) - users @ y) ** 2 + pull * ((y - own) ** 2).sum()

        expected = minimize(loss, np.zeros(4), tol=1e-12).x
        np.testing.assert_allclose(vector, expected, atol=1e-4)


def test_a_strong_prior_is_its_mean_and_a_strength_of_zero_is_refused(csr):
    users, mean = np.eye(3, dtype=np.float32), np.array([[1, 2, 3]], np.float32)
    confidence = csr(np.array([[1.0, 0, 0]]))
    np.testing.assert_allclose(solve_items(confidence, users, mean, AlsObjective(1.0), strength=1e9), mean, rtol=1e-6)
    with pytest.raises(ModelError, match="strength 0"):
        solve_items(confidence, users, mean, AlsObjective(1.0), strength=0)
