"""Alternating least squares on implicit feedback: implicit supplies the solver, everything around it is here.

What is minimised is that of Hu, Koren, Volinsky, "Collaborative Filtering for Implicit Feedback Datasets" (2008):

    sum over all users u and items i of  c_ui (p_ui - x_u . y_i)^2  +  regularization (sum |x_u|^2 + sum |y_i|^2)

where p_ui is 1 and c_ui the stored confidence for stored entries, p_ui = 0 and c_ui = 1 for all others. A stored
confidence takes the place of the 1, it is not added to it; the regularization is the same for every row.
One iteration improves every user's vector, then every item's, by three steps of conjugate gradient from where it
was: Takacs, Pilaszy, Tikk, "Applications of the Conjugate Gradient Method for Implicit Feedback Collaborative
Filtering" (2011). A row without entries gets the zero vector.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import implicit.cpu.als
import implicit.gpu.als
import numpy as np
from implicit.recommender_base import ModelFitError
from threadpoolctl import threadpool_limits

from recsys.config import ModelConfig
from recsys.data.arrays import Floats
from recsys.data.matrix import Csr
from recsys.errors import ModelError
from recsys.models.factors.implicit_input import check_solvable, writeable
from recsys.progress import Progress, silent

logger = logging.getLogger(__name__)

OnIteration = Callable[[int, Floats, Floats], None]
"""Told how many iterations are done, and the users float32 (n_users, d) and items float32 (n_items, d) they led to.

The solver goes on from these arrays: look, copy, do not write. What it raises ends the fit, and comes out of it.
"""


@dataclass(frozen=True, eq=False)
class AlsFit:
    """What a fit learned.

    `users`: float32 (n_users, d). `items`: float32 (n_items, d). C-contiguous, finite, shared with nothing.
    `losses`: after each iteration, the objective divided by the sum of all c_ui; empty unless it was asked for.
    """

    users: Floats
    items: Floats
    losses: tuple[float, ...]


def fit_als(
    confidence: Csr,
    config: ModelConfig,
    *,
    start: tuple[Floats, Floats] | None = None,
    overwrite_start: bool = False,
    progress: Progress = silent,
    watch: OnIteration | None = None,
) -> AlsFit:
    """Factorise `confidence`: canonical float32 (n_users, n_items), alpha multiplied in. It is not modified.

    `start`: users float32 (n_users, d) and items float32 (n_items, d) to set out from, copied unless
    `overwrite_start`; random ones from `config.seed` otherwise. On the CPU the result is the same to the bit for
    any number of threads. A GPU, used where `config.gpu` asks for it and implicit has one, sets out from other
    random vectors.
    `watch` sees the vectors after each iteration: a fit of fewer iterations would have ended with those very ones.
    Raises DataError where `confidence` is not canonical, ModelError where it is empty or too large, `start` does
    not fit, or the vectors come out other than finite.
    """
    _check_input(confidence, start, config.factors)
    losses: list[float] = []
    started = time.perf_counter()
    # implicit runs its own threads over rows; BLAS threads below them cost up to ten times the time.
    with threadpool_limits(1, "blas"):
        solver = _solver(config, start, overwrite=overwrite_start)
        try:
            heard = _listener(solver, losses, config, progress, watch)
            solver.fit(writeable(confidence), show_progress=False, callback=heard)
        except ModelFitError as error:
            raise _not_finite(confidence, config) from error
    fit = AlsFit(_on_host(solver.user_factors), _on_host(solver.item_factors), tuple(losses))
    if not (np.isfinite(fit.users).all() and np.isfinite(fit.items).all()):
        raise _not_finite(confidence, config)
    size = (*confidence.shape, confidence.nnz, config.factors)
    logger.info("als users=%d items=%d entries=%d factors=%d seconds=%.2f", *size, time.perf_counter() - started)
    return fit


def _listener(
    solver: Any, losses: list[float], config: ModelConfig, progress: Progress, watch: OnIteration | None
) -> Callable[[int, float, float | None], None]:
    """What implicit calls after each iteration; keeps its loss where it computes one."""

    def after_iteration(iteration: int, seconds: float, loss: float | None) -> None:
        if loss is not None:
            losses.append(float(loss))
        logger.info("als iteration=%d seconds=%.2f loss=%s", iteration + 1, seconds, loss)
        progress("als", iteration + 1, config.iterations)
        if watch is not None:
            watch(iteration + 1, _on_host(solver.user_factors), _on_host(solver.item_factors))

    return after_iteration


def _check_input(confidence: Csr, start: tuple[Floats, Floats] | None, factors: int) -> None:
    check_solvable("als", confidence)
    for name, array, rows in zip(("users", "items"), start or (), confidence.shape, strict=False):
        if array.shape != (rows, factors) or array.dtype != np.float32:
            raise ModelError(f"als: start {name} {array.dtype} {array.shape}, expected float32 ({rows}, {factors})")
        if not np.isfinite(array).all():
            raise ModelError(f"als: start {name} hold NaN or infinity")


def _solver(config: ModelConfig, start: tuple[Floats, Floats] | None, *, overwrite: bool) -> Any:
    """A new solver each time: implicit's goes on from whatever its last fit left behind."""
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
        users, items = (np.array(array, np.float32, order="C", copy=None if overwrite else True) for array in start)
        solver.user_factors = implicit.gpu.Matrix(users) if on_gpu else users
        solver.item_factors = implicit.gpu.Matrix(items) if on_gpu else items
    return solver


def _on_host(vectors: Any) -> Floats:
    array = vectors if isinstance(vectors, np.ndarray) else vectors.to_numpy()
    return np.ascontiguousarray(array, np.float32)


def _not_finite(confidence: Csr, config: ModelConfig) -> ModelError:
    return ModelError(
        f"als: the vectors are not finite after {config.iterations} iterations; likely cause: regularization "
        f"{config.regularization:g} is too small for confidences up to {confidence.data.max():g}"
    )
