"""BPR: matrix factorisation that learns to rank; implicit supplies the solver."""

from typing import Any, Literal

import numpy as np
from implicit.cpu.bpr import BayesianPersonalizedRanking
from implicit.recommender_base import ModelFitError
from pydantic import Field
from threadpoolctl import threadpool_limits

from recsys.data.arrays import Doubles, Floats
from recsys.data.matrix import Csr, InteractionMatrix, presence
from recsys.errors import ModelError
from recsys.models.algorithm import Algorithm, Bounds
from recsys.models.factors.config import IterativeConfig
from recsys.models.factors.embeddings import degrees_of_items
from recsys.models.factors.implicit_input import check_solvable, writeable
from recsys.models.factors.linear import LinearFactorModel, linear_model, weighted_sum
from recsys.models.factors.model import OnIteration
from recsys.progress import Progress, silent

_ITERATION_CALLS = 10
"""How often `on_iteration` is called, because one iteration changes too little to be measured."""

_RIDGE = 0.01
"""Ridge penalty of the fold-in, as a share of the mean variance of the users' mean item vectors. On validation parts
of two logs, folded-in users then rank as well as trained ones; ten times more or less changes little."""

_ROWS_AT_ONCE = 16_384


class BprConfig(IterativeConfig):
    """Bayesian personalised ranking, by stochastic gradient descent on one thread."""

    algorithm: Literal["bpr"] = Field("bpr", description="Bayesian personalised ranking")
    factors: int = Field(128, ge=2, le=4096, description="dimension of the embeddings; one holds the item's bias")
    learning_rate: float = Field(0.05, gt=0, le=10, description="step of the gradient descent")
    regularization: float = Field(
        0.005, ge=0, le=1_000_000, description="pulls every value towards zero at each step"
    )
    iterations: int = Field(
        100, ge=1, le=10_000, description="at most; one iteration draws as many triples as there are entries"
    )


def train_bpr(
    matrix: InteractionMatrix,
    config: BprConfig,
    *,
    progress: Progress = silent,
    on_iteration: OnIteration | None = None,
) -> LinearFactorModel:
    """Learn to rank what a user used above what they did not, by stochastic gradient descent.

    Maximised is the sum over users u, items i used and j not used of log sigmoid(x_u . (y_i - y_j) + b_i - b_j),
    minus `regularization` times the squares of what is learned. Weights of entries are ignored.
    implicit draws j in proportion to n_j, its users, where the paper draws uniformly. What it learns is then
    preference relative to popularity, log(p(i|u) / n_i), so log n_i is added to b_i.
    The vector of a user in training is the learned one; that of a history is what a ridge regression on the users of
    training predicts from the mean of its items' vectors, see `_sources`.
    One thread: with more, two fits of one seed would differ. `on_iteration` is called ten times, evenly spread.
    Rendle, Freudenthaler, Gantner, Schmidt-Thieme, "BPR: Bayesian Personalized Ranking from Implicit Feedback"
    (2009). Raises DataError if `matrix` is not canonical, ModelError if it is empty or too large, or the vectors are
    not finite.
    """
    check_solvable("bpr", matrix.csr)
    solver = BayesianPersonalizedRanking(
        factors=config.factors - 1,
        learning_rate=config.learning_rate,
        regularization=config.regularization,
        iterations=config.iterations,
        num_threads=1,
        random_state=config.seed,
    )

    def after_iteration(iteration: int, *_: Any) -> None:
        done = iteration + 1
        progress("bpr", done, config.iterations)
        if on_iteration is not None and done * _ITERATION_CALLS % config.iterations < _ITERATION_CALLS:
            on_iteration(done, _model(matrix.csr, solver, config))

    try:
        solver.fit(writeable(presence(matrix.csr)), show_progress=False, callback=after_iteration)
    except ModelFitError as error:
        raise _not_finite(config) from error
    return _model(matrix.csr, solver, config)


def _model(csr: Csr, solver: Any, config: BprConfig) -> LinearFactorModel:
    users, items = np.ascontiguousarray(solver.user_factors, np.float32), np.array(solver.item_factors, np.float32)
    if not (np.isfinite(users).all() and np.isfinite(items).all()):
        raise _not_finite(config)
    degree = degrees_of_items(csr)
    items[:, -1] += np.log(np.maximum(degree, 1))
    return linear_model(
        "bpr",
        csr,
        sources=_sources(csr, users, items, degree),
        items=items,
        transform="mean",
        popularity_exponent=config.popularity_exponent,
        users=users,
    )


def _sources(csr: Csr, users: Floats, items: Floats, degree: Floats) -> Floats:
    """Float32 (n_items, d): s_i = (y_i W + c, 1), whose mean over a history predicts the vector of its user.

    W and c minimise sum over users |x_u - m_u W - c|^2 + penalty |W|^2, where m_u is the mean of the vectors of the
    user's items. The last value, 1, multiplies the item's bias, so that a mean counts it once.
    """
    vectors = np.ascontiguousarray(items[:, :-1])
    weights, constant = _ridge(csr, users[:, :-1], vectors, degree)
    sources = np.ones_like(items)
    with threadpool_limits(1, "blas"):  # as in `_ridge`
        sources[:, :-1] = vectors @ weights.astype(np.float32) + constant.astype(np.float32)
    return sources


def _ridge(csr: Csr, users: Floats, vectors: Floats, degree: Floats) -> tuple[Doubles, Doubles]:
    """W (d, d) and c (d,) of `_sources`, from moments that are summed in double precision, by blocks of users."""
    d = vectors.shape[1]
    moments, total, n = np.zeros((2 * d, d)), np.zeros(2 * d), 0
    with threadpool_limits(1, "blas"):  # the order of sums, and so the last bits, would depend on the threads
        for start in range(0, csr.shape[0], _ROWS_AT_ONCE):
            known = start + np.flatnonzero(np.diff(csr.indptr[start : start + _ROWS_AT_ONCE + 1]))
            means = weighted_sum(csr[known], vectors, degree, transform="mean")
            both = np.hstack([means, users[known]]).astype(np.float64)
            moments += both.T @ both[:, :d]
            total += both.sum(axis=0)
            n += len(known)
        mean = total / n
        moments -= n * np.outer(mean, mean[:d])
        penalty = _RIDGE * np.trace(moments[:d]) / d + np.finfo(np.float64).tiny
        weights: Doubles = np.linalg.solve(moments[:d] + penalty * np.eye(d), moments[d:].T)
    return weights, mean[d:] - mean[:d] @ weights


def _not_finite(config: BprConfig) -> ModelError:
    return ModelError(f"bpr: the vectors are not finite; learning rate {config.learning_rate:g} is too large")


BPR = Algorithm(
    BprConfig,
    train_bpr,
    LinearFactorModel.load,
    folds_in_exactly=False,
    tunable={"learning_rate": Bounds(0.005, 0.2, log=True), "regularization": Bounds(1e-4, 0.1, log=True)},
)
