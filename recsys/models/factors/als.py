"""Alternating least squares on implicit feedback: the solver is implicit's, or our own.

The objective is that of Hu, Koren, Volinsky, "Collaborative Filtering for Implicit Feedback Datasets" (2008):

    sum over all users u and items i of  c_ui (p_ui - x_u . y_i)^2  +  regularization (sum |x_u|^2 + sum |y_i|^2)

For stored entries p_ui is 1 and c_ui the stored confidence; for all others p_ui = 0 and c_ui = 1. A stored confidence
replaces the 1, rather than being added to it. The regularization is the same for every row. Our own solver takes
`unobserved_weight` in place of the 1, and a regularization that grows with a row's entries: `AlsObjective`.
One iteration improves every user's vector, then every item's, by three steps of conjugate gradient from its last
value: Takacs, Pilaszy, Tikk, "Applications of the Conjugate Gradient Method for Implicit Feedback Collaborative
Filtering" (2011). A row without entries gets the zero vector. `recsys.models.factors.als_model` solves the users once
more, exactly, for the items that a fit ends with.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, Self

import implicit.cpu.als
import implicit.gpu.als
import numpy as np
from implicit.recommender_base import ModelFitError
from pydantic import Field, StrictBool, model_validator
from threadpoolctl import threadpool_limits

from recsys.data.arrays import Floats
from recsys.data.confidence import ConfidenceConfig
from recsys.data.matrix import Csr
from recsys.errors import ModelError
from recsys.models.factors.als_solver.loss import training_loss
from recsys.models.factors.config import WarmStartConfig
from recsys.models.factors.implicit_input import check_solvable, writeable
from recsys.models.factors.objective import AlsObjective
from recsys.progress import Progress, silent

logger = logging.getLogger(__name__)

OnVectors = Callable[[int, Floats, Floats], None]
"""Called with the number of iterations done, and users float32 (n_users, d) and items float32 (n_items, d) so far.

The solver continues with these arrays: read or copy them, do not write. An exception ends the fit and propagates.
"""


class AlsConfig(ConfidenceConfig, WarmStartConfig):
    """Alternating least squares on implicit feedback."""

    algorithm: Literal["als"] = Field("als", description="alternating least squares on implicit feedback")
    popularity_exponent: float = Field(
        0.1, ge=-1, le=1, description="scores are multiplied by n_users_of_item ** this"
    )
    regularization: float = Field(20.0, ge=0, description="added to the diagonal of every solve")
    regularization_exponent: float = Field(
        0.0,
        ge=0,
        le=2,
        description='solver = "compiled": the regularization of a row is multiplied by (its entries + '
        "unobserved_weight * all it could have) ** this",
    )
    unobserved_weight: float = Field(
        1.0, gt=0, description='solver = "compiled": what a pair that is not in the log weighs in the fit'
    )
    iterations: int = Field(5, ge=1, description="at most; one iteration solves all users, then all items")
    start: Literal["spectral", "random"] = Field(
        "spectral",
        description="what the fit starts from: singular vectors of the normalised matrix, or random vectors",
    )
    solver: Literal["implicit", "compiled"] = Field(
        "implicit",
        description="implicit's solver, or our own of compiled loops, which is quicker and needs less memory "
        "(docs/training.md)",
    )
    threads: int = Field(0, ge=0, description="of the solver; 0 means all cores")
    gpu: StrictBool = Field(False, description="train on a GPU if implicit has one")
    log_loss: StrictBool = Field(
        False,
        description="compute the training loss after every iteration (slower), before users are solved exactly",
    )

    not_learned = WarmStartConfig.not_learned | {"threads", "gpu", "log_loss"}

    @property
    def objective(self) -> AlsObjective:
        """What is minimised, apart from the confidences."""
        return AlsObjective(self.regularization, self.regularization_exponent, self.unobserved_weight)

    @model_validator(mode="after")
    def _the_solver_can(self) -> Self:
        if self.solver == "compiled" and self.gpu:
            raise ValueError('gpu = true needs solver = "implicit", got solver = "compiled"')
        for key, plain in (("regularization_exponent", 0), ("unobserved_weight", 1)):
            value = getattr(self, key)
            if self.solver == "implicit" and value != plain:
                raise ValueError(f'{key} = {value:g} needs solver = "compiled", got solver = "implicit"')
        return self


@dataclass(frozen=True, eq=False)
class AlsFit:
    """What a fit learned.

    `users`: float32 (n_users, d). `items`: float32 (n_items, d). C-contiguous and finite.
    `losses`: after each iteration, the objective divided by the sum of all c_ui; empty unless `config.log_loss`.
    """

    users: Floats
    items: Floats
    losses: tuple[float, ...]


def fit_als(
    confidence: Csr,
    config: AlsConfig,
    *,
    start: tuple[Floats, Floats] | None = None,
    overwrite_start: bool = False,
    progress: Progress = silent,
    on_iteration: OnVectors | None = None,
) -> AlsFit:
    """Factorise `confidence`: canonical float32 (n_users, n_items), alpha multiplied in. It is not modified.

    `start`: users float32 (n_users, d) and items float32 (n_items, d) to start from, copied unless
    `overwrite_start`; without it the solver draws random ones from `config.seed`. On the CPU the result is the same
    to the bit for any number of threads. A GPU, used if `config.gpu` is set and implicit has one, draws other
    random vectors. `on_iteration`: a fit of fewer iterations would end with the vectors it is called with.
    Raises DataError if `confidence` is not canonical, ModelError if it is empty or too large, `start` does not fit,
    or the vectors are not finite.
    """
    _check_input(confidence, start, config.factors)
    started = time.perf_counter()
    with_solver = _fit_compiled if config.solver == "compiled" else _fit_implicit
    fit = with_solver(confidence, config, start, overwrite_start, progress, on_iteration)
    size = (*confidence.shape, confidence.nnz, config.factors)
    logger.info("als users=%d items=%d entries=%d factors=%d seconds=%.2f", *size, time.perf_counter() - started)
    return fit


def _fit_implicit(
    confidence: Csr,
    config: AlsConfig,
    start: tuple[Floats, Floats] | None,
    overwrite: bool,
    progress: Progress,
    on_iteration: OnVectors | None,
) -> AlsFit:
    losses: list[float] = []
    # implicit runs its own threads over rows; BLAS threads below them cost up to ten times the time.
    with threadpool_limits(1, "blas"):
        solver = _solver(config, start, overwrite=overwrite)
        callback = _callback(solver, losses, confidence, config, progress, on_iteration)
        with suppress(ModelFitError):  # not finite, which `_vectors` explains
            solver.fit(writeable(confidence), show_progress=False, callback=callback)
        return AlsFit(*_vectors(solver, confidence, config), tuple(losses))


def _fit_compiled(
    confidence: Csr,
    config: AlsConfig,
    start: tuple[Floats, Floats] | None,
    overwrite: bool,
    progress: Progress,
    on_iteration: OnVectors | None,
) -> AlsFit:
    from recsys.models.factors.als_solver.fit import minimise  # noqa: PLC0415 (numba, half a second)

    losses: list[float] = []
    vectors = _copied(start, overwrite=overwrite) if start is not None else _drawn(confidence.shape, config)
    before = time.perf_counter()

    def after_iteration(done: int, copied: Callable[[], tuple[Floats, Floats]]) -> None:
        nonlocal before
        current = copied() if config.log_loss or on_iteration is not None else None
        if current is not None and config.log_loss:
            losses.append(training_loss(confidence, config.objective, *current))
        logger.info("als iteration=%d seconds=%.2f loss=%s", done, time.perf_counter() - before, losses[-1:] or None)
        progress("als", done, config.iterations)
        if current is not None and on_iteration is not None:
            on_iteration(done, *_finite(*current, confidence, config))
        before = time.perf_counter()

    try:
        minimise(
            confidence,
            config.objective,
            vectors,
            iterations=config.iterations,
            threads=config.threads,
            on_iteration=after_iteration,
        )
    except FloatingPointError as error:
        raise _not_finite(confidence, config) from error
    return AlsFit(*_finite(*vectors, confidence, config), tuple(losses))


def _drawn(shape: tuple[int, int], config: AlsConfig) -> tuple[Floats, Floats]:
    """Random vectors as implicit draws them on the CPU."""
    rng = np.random.default_rng(config.seed)
    users, items = (rng.random((rows, config.factors), dtype=np.float32) for rows in shape)
    for vectors in (users, items):
        vectors *= np.float32(0.01)
    return users, items


def _copied(start: tuple[Floats, Floats], *, overwrite: bool) -> tuple[Floats, Floats]:
    users, items = (np.array(array, np.float32, order="C", copy=None if overwrite else True) for array in start)
    return users, items


def _callback(
    solver: Any,
    losses: list[float],
    confidence: Csr,
    config: AlsConfig,
    progress: Progress,
    on_iteration: OnVectors | None,
) -> Callable[[int, float, float | None], None]:
    """What implicit calls after each iteration; keeps the loss if implicit computes one."""

    def after_iteration(iteration: int, seconds: float, loss: float | None) -> None:
        if loss is not None:
            losses.append(float(loss))
        logger.info("als iteration=%d seconds=%.2f loss=%s", iteration + 1, seconds, loss)
        progress("als", iteration + 1, config.iterations)
        if on_iteration is not None:
            on_iteration(iteration + 1, *_vectors(solver, confidence, config))

    return after_iteration


def _vectors(solver: Any, confidence: Csr, config: AlsConfig) -> tuple[Floats, Floats]:
    return _finite(_on_host(solver.user_factors), _on_host(solver.item_factors), confidence, config)


def _finite(users: Floats, items: Floats, confidence: Csr, config: AlsConfig) -> tuple[Floats, Floats]:
    if not (np.isfinite(users).all() and np.isfinite(items).all()):
        raise _not_finite(confidence, config)
    return users, items


def _not_finite(confidence: Csr, config: AlsConfig) -> ModelError:
    return ModelError(
        f"als: the vectors are not finite within {config.iterations} iterations; likely cause: regularization "
        f"{config.regularization:g} is too small for confidences up to {confidence.data.max():g}"
    )


def _check_input(confidence: Csr, start: tuple[Floats, Floats] | None, factors: int) -> None:
    check_solvable("als", confidence)
    for name, array, rows in zip(("users", "items"), start or (), confidence.shape, strict=False):
        if array.shape != (rows, factors) or array.dtype != np.float32:
            raise ModelError(f"als: start {name} {array.dtype} {array.shape}, expected float32 ({rows}, {factors})")
        if not np.isfinite(array).all():
            raise ModelError(f"als: start {name} hold NaN or infinity")


def _solver(config: AlsConfig, start: tuple[Floats, Floats] | None, *, overwrite: bool) -> Any:
    """A new solver each time, because implicit's starts from whatever its last fit left behind."""
    settings = {
        "factors": config.factors,
        "regularization": config.regularization,
        "alpha": 1.0,
        "dtype": np.float32,
        "iterations": config.iterations,
        "calculate_training_loss": config.log_loss,
        "random_state": config.seed,
    }
    on_gpu = config.gpu and implicit.gpu.HAS_CUDA
    if config.gpu and not on_gpu:
        logger.warning("model.gpu: implicit has no GPU here (it needs CUDA and rmm); training on the CPU")
    if on_gpu:
        solver = implicit.gpu.als.AlternatingLeastSquares(**settings)
    else:
        solver = implicit.cpu.als.AlternatingLeastSquares(**settings, num_threads=config.threads)
    if start is not None:
        users, items = _copied(start, overwrite=overwrite)
        solver.user_factors = implicit.gpu.Matrix(users) if on_gpu else users
        solver.item_factors = implicit.gpu.Matrix(items) if on_gpu else items
    return solver


def _on_host(vectors: Any) -> Floats:
    array = vectors if isinstance(vectors, np.ndarray) else vectors.to_numpy()
    return np.ascontiguousarray(array, np.float32)
