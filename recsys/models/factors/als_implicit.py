"""A fit of ALS by the solver of the library implicit."""

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import implicit.cpu.als
import implicit.gpu.als
import numpy as np
from implicit.recommender_base import ModelFitError
from threadpoolctl import threadpool_limits

from recsys.data.arrays import Floats
from recsys.models.factors.als_task import AlsFit, AlsTask
from recsys.models.factors.implicit_input import writeable

logger = logging.getLogger(__name__)


def fit_implicit(task: AlsTask) -> AlsFit:
    """Fit as `fit_als` says. Raises ModelError if the vectors are not finite."""
    losses: list[float] = []
    # implicit runs its own threads over rows; BLAS threads below them cost up to ten times the time.
    with threadpool_limits(1, "blas"):
        solver = _solver(task)
        with suppress(ModelFitError):  # not finite, which `_vectors` explains
            solver.fit(writeable(task.confidence), show_progress=False, callback=_callback(solver, losses, task))
        return AlsFit(*_vectors(solver, task), tuple(losses))


def _callback(solver: Any, losses: list[float], task: AlsTask) -> Callable[[int, float, float | None], None]:
    """What implicit calls after each iteration; keeps the loss if implicit computes one."""

    def after_iteration(iteration: int, seconds: float, loss: float | None) -> None:
        if loss is not None:
            losses.append(float(loss))
        logger.info("als iteration=%d seconds=%.2f loss=%s", iteration + 1, seconds, loss)
        task.progress("als", iteration + 1, task.config.iterations)
        if task.on_iteration is not None:
            task.on_iteration(iteration + 1, *_vectors(solver, task))

    return after_iteration


def _vectors(solver: Any, task: AlsTask) -> tuple[Floats, Floats]:
    return task.finite(_on_host(solver.user_factors), _on_host(solver.item_factors))


def _solver(task: AlsTask) -> Any:
    """A new solver each time, because implicit's starts from whatever its last fit left behind."""
    config = task.config
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
    if (start := task.copied_start()) is not None:
        users, items = start
        solver.user_factors = implicit.gpu.Matrix(users) if on_gpu else users
        solver.item_factors = implicit.gpu.Matrix(items) if on_gpu else items
    return solver


def _on_host(vectors: Any) -> Floats:
    array = vectors if isinstance(vectors, np.ndarray) else vectors.to_numpy()
    return np.ascontiguousarray(array, np.float32)
