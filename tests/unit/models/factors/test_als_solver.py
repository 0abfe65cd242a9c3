import numpy as np
import pytest
import scipy.sparse as sp
from pydantic import ValidationError

from recsys.errors import ModelError
from recsys.models.factors.als import AlsConfig, fit_als
from recsys.models.factors.als_model import AlsModel, train_als
from recsys.models.factors.als_solver.blocks import column_blocks, row_blocks
from recsys.models.factors.als_solver.fit import minimise
from recsys.models.factors.als_solver.loss import training_loss
from recsys.models.factors.als_solver.prior import ItemPrior
from recsys.models.factors.objective import AlsObjective

PLAIN = AlsObjective(0.7)
SCALED = AlsObjective(0.3, regularization_exponent=0.5, unobserved_weight=0.2)


def _start(shape, d, seed=4):
    rng = np.random.default_rng(seed)
    return tuple(rng.standard_normal((rows, d)).astype(np.float32) * np.float32(0.3) for rows in shape)


def _minimised(confidence, objective, start, **settings):
    vectors = tuple(side.copy() for side in start)
    minimise(confidence, objective, vectors, **{"iterations": 1, **settings})
    return vectors


def _prior(n_items, d, strength=1.0):
    mean = np.random.default_rng(9).standard_normal((n_items, d)).astype(np.float32)
    return ItemPrior(mean, np.full(n_items, strength, np.float32))


def _solved(confidence, others, objective, mean=None, strength=1.0):
    """Each row's minimum, from the whole dense equation."""
    stored, others = confidence.toarray().astype(np.float64), others.astype(np.float64)
    solved = np.zeros((len(stored), others.shape[1]))
    for row, c in enumerate(stored):
        n = np.count_nonzero(c)
        penalty = objective.regularization * (n + objective.unobserved_weight * len(c)) ** (
            objective.regularization_exponent
        )
        penalty *= strength
        center = 0 if mean is None else mean[row].astype(np.float64)
        if n == 0:
            solved[row] = center
            continue
        weight = np.where(c > 0, c, objective.unobserved_weight)
        normal = others.T @ (weight[:, None] * others) + penalty * np.eye(others.shape[1])
        solved[row] = np.linalg.solve(normal, others.T @ c + penalty * center)
    return solved


@pytest.mark.parametrize("prior", [None, _prior(40, 3), _prior(40, 3, 25.0)], ids=["none", "weak", "strong"])
@pytest.mark.parametrize("objective", [PLAIN, SCALED, AlsObjective(0.01, 1.0, 3.0)])
def test_an_iteration_is_the_dense_solve_of_users_then_of_items(confidence, objective, prior):
    # Three steps of conjugate gradient are exact in three dimensions.
    start = _start(confidence.shape, 3)
    users, items = _minimised(confidence, objective, start, prior=prior)
    np.testing.assert_allclose(users, _solved(confidence, start[1], objective), atol=2e-4)
    given = (None, 1.0) if prior is None else (prior.mean, prior.strength[0])
    np.testing.assert_allclose(items, _solved(confidence.T.tocsr(), users, objective, *given), atol=2e-4)


@pytest.mark.parametrize("factors", [1, 6, 17, 64])
def test_it_takes_the_steps_of_implicit(confidence, factors):
    config = AlsConfig(factors=factors, regularization=2.0, iterations=3)
    for start in (None, _start(confidence.shape, factors)):
        theirs = fit_als(confidence, config, start=start)
        ours = fit_als(confidence, config.model_copy(update={"solver": "compiled"}), start=start)
        np.testing.assert_allclose(ours.users, theirs.users, atol=5e-4)
        np.testing.assert_allclose(ours.items, theirs.items, atol=5e-4)


@pytest.mark.parametrize("factors", [8, 16, 24])
def test_a_fit_does_not_depend_on_where_its_arrays_lie(confidence, factors):
    start, rng, kept = _start(confidence.shape, factors), np.random.default_rng(0), []
    first = _minimised(confidence, PLAIN, start, iterations=2, threads=1)
    for _ in range(20):
        for size in rng.integers(1, 400, 50):
            kept.append(np.empty(size, np.float32))
        for place in rng.integers(0, len(kept), 20):
            kept[place] = None
        for left, right in zip(_minimised(confidence, PLAIN, start, iterations=2, threads=1), first, strict=True):
            np.testing.assert_array_equal(left, right)


def _with_a_long_line():
    """70,000 users who all have item 3, and few have others: enough entries for several blocks."""
    rng = np.random.default_rng(2)
    dense = np.where(rng.random((70_000, 6)) < 0.1, 1 + rng.random((70_000, 6)), 0)
    dense[:, 3] = 2
    return sp.csr_matrix(dense.astype(np.float32))


@pytest.mark.parametrize("csr", [_with_a_long_line(), _with_a_long_line().T.tocsr()], ids=["item", "user"])
def test_a_row_of_all_the_others_is_solved_for_any_number_of_threads(csr):
    start = _start(csr.shape, 3)
    first = _minimised(csr, PLAIN, start, threads=1)
    np.testing.assert_allclose(first[0], _solved_sparse(csr, start[1], 0.7), atol=2e-3)
    np.testing.assert_allclose(first[1], _solved_sparse(csr.T.tocsr(), first[0], 0.7), atol=2e-3)
    for threads in (2, 5):
        for left, right in zip(_minimised(csr, PLAIN, start, threads=threads), first, strict=True):
            np.testing.assert_array_equal(left, right)


def _solved_sparse(csr, others, regularization):
    others = others.astype(np.float64)
    products = (others[:, :, None] * others[:, None, :]).reshape(len(others), -1)
    weight = csr.astype(np.float64)
    weight.data -= 1
    d = others.shape[1]
    normal = (weight @ products).reshape(-1, d, d) + others.T @ others + regularization * np.eye(d)
    return np.linalg.solve(normal, (csr.astype(np.float64) @ others)[:, :, None])[:, :, 0]


def test_blocks_hold_every_entry_once_and_the_long_ones_come_first():
    csr = _with_a_long_line()
    for blocks, expected in ((row_blocks(csr), csr), (column_blocks(csr), csr.T.tocsr())):
        found = list(blocks)
        parts = {}
        for block in found:
            indptr, indices, values = block.entries
            entries = slice(indptr[0], indptr[-1])
            shape = (len(indptr) - 1, expected.shape[1])
            part = sp.csr_matrix((values[entries], indices[entries], indptr - indptr[0]), shape=shape)
            parts[block.rows.start] = part
        whole = sp.vstack([parts[start] for start in sorted(parts)]).tocsr()
        assert whole.shape == expected.shape
        assert (whole != expected).nnz == 0
        assert len(found) > 1
    assert found[0].rows == slice(3, 4)


def test_extreme_confidences_are_solved(confidence):
    wide = confidence.copy()
    wide.data = np.geomspace(1e-30, 1e4, wide.nnz).astype(np.float32)
    objective = AlsObjective(5.0)
    start = _start(wide.shape, 3)
    users, _ = _minimised(wide, objective, start)
    np.testing.assert_allclose(users, _solved(wide, start[1], objective), atol=5e-3)


def test_vectors_whose_squares_overflow_are_refused(confidence):
    start = tuple(np.full((rows, 3), 1e25, np.float32) for rows in confidence.shape)
    with pytest.raises(ModelError, match="not finite"):
        fit_als(confidence, AlsConfig(factors=3, solver="compiled"), start=start)


def test_an_item_without_entries_gets_its_mean_to_the_bit(confidence):
    prior = _prior(40, 6)
    _, items = _minimised(confidence, SCALED, _start(confidence.shape, 6), prior=prior, iterations=3)
    np.testing.assert_array_equal(items[7], prior.mean[7])


def test_iterations_see_what_a_shorter_fit_ends_with_prior_included(confidence):
    prior, start, seen = _prior(40, 6), _start(confidence.shape, 6), {}
    _minimised(
        confidence,
        PLAIN,
        start,
        prior=prior,
        iterations=2,
        on_iteration=lambda done, copied: seen.update({done: copied()}),
    )
    for done, vectors in seen.items():
        shorter = _minimised(confidence, PLAIN, start, prior=prior, iterations=done)
        for left, right in zip(vectors, shorter, strict=True):
            np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("prior", [None, _prior(40, 6, 2.0)], ids=["none", "prior"])
def test_the_loss_is_the_objective_written_out(confidence, prior):
    users, items = _start(confidence.shape, 6)
    stored, alpha0 = confidence.toarray().astype(np.float64), SCALED.unobserved_weight
    weight = np.where(stored > 0, stored, alpha0)
    total = (weight * ((stored > 0) - users.astype(np.float64) @ items.T) ** 2).sum()
    counts = (stored > 0).sum(axis=1), (stored > 0).sum(axis=0)
    away = items if prior is None else items - prior.mean
    strength = 1.0 if prior is None else 2.0
    total += (0.3 * np.sqrt(counts[0] + alpha0 * 40) * (users**2).sum(axis=1)).sum()
    total += (strength * 0.3 * np.sqrt(counts[1] + alpha0 * 60) * (away**2).sum(axis=1)).sum()
    found = training_loss(confidence, SCALED, users, items, prior)
    assert found == pytest.approx(total / weight.sum(), rel=1e-5)


@pytest.mark.parametrize(
    ("mean", "strength", "message"),
    [
        (np.zeros((4, 2)), np.ones(4, np.float32), "mean is float64"),
        (np.full((4, 2), np.nan, np.float32), np.ones(4, np.float32), "finite"),
        (np.zeros((4, 2), np.float32), np.ones(3, np.float32), r"strength is float32 \(3,\)"),
        (np.zeros((4, 2), np.float32), np.zeros(4, np.float32), "above zero"),
    ],
)
def test_a_prior_that_makes_no_sense_is_refused(mean, strength, message):
    with pytest.raises(ModelError, match=message):
        ItemPrior(mean, strength)


@pytest.mark.parametrize("update", [{"regularization_exponent": 0.5}, {"unobserved_weight": 0.2}])
def test_settings_that_implicit_does_not_have_are_refused_with_it(update):
    (key,) = update
    with pytest.raises(ValidationError, match=f'{key} = 0.. needs solver = "compiled", got solver = "implicit"'):
        AlsConfig(**update)
    assert AlsConfig(solver="compiled", **update)


def test_the_compiled_solver_does_not_run_on_a_gpu():
    with pytest.raises(ValidationError, match='gpu = true needs solver = "implicit", got solver = "compiled"'):
        AlsConfig(solver="compiled", gpu=True)


@pytest.mark.parametrize("factors", [3, 60])
def test_training_fold_in_and_reasons_solve_one_objective(matrix, confidence, tmp_path, factors):
    counts = matrix(confidence.toarray())
    config = AlsConfig(
        factors=factors,
        solver="compiled",
        start="random",
        weighting="plain",
        alpha=2.0,
        regularization=0.3,
        regularization_exponent=0.5,
        unobserved_weight=0.2,
    )
    train_als(counts, config).save(tmp_path)
    model = AlsModel.load(tmp_path)
    assert model.objective == config.objective
    weighted = confidence * np.float32(2)
    expected = _solved(weighted, model.embeddings.items, config.objective)
    np.testing.assert_allclose(model.embeddings.users, expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(model.fold_in(counts.csr), model.embeddings.users)
    targets = np.arange(40, dtype=np.int32)
    parts = model.contributions(counts.csr[3], targets)
    np.testing.assert_allclose(
        parts.sum(axis=1), model.embeddings.scoring_items @ model.embeddings.users[3], rtol=1e-3, atol=1e-4
    )
