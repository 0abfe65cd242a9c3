"""A fit of ALS by our own solver of compiled loops."""

import logging
import time
from collections.abc import Callable

import numpy as np

from recsys.data.arrays import Floats
from recsys.models.factors.als_solver.loss import training_loss
from recsys.models.factors.als_task import AlsFit, AlsTask

logger = logging.getLogger(__name__)


def fit_compiled(task: AlsTask) -> AlsFit:
    """Fit as `fit_als` says. Raises ModelError if the vectors are not finite."""
    from recsys.models.factors.als_solver.fit import minimise  # noqa: PLC0415 (numba, half a second)

    config, losses = task.config, list[float]()
    vectors = task.copied_start() or _drawn(task)
    before = time.perf_counter()

    def after_iteration(done: int, copied: Callable[[], tuple[Floats, Floats]]) -> None:
        nonlocal before
        current = copied() if config.log_loss or task.on_iteration is not None else None
        if current is not None and config.log_loss:
            losses.append(training_loss(task.confidence, config.objective, *current))
        logger.info("als iteration=%d seconds=%.2f loss=%s", done, time.perf_counter() - before, losses[-1:] or None)
        task.progress("als", done, config.iterations)
        if current is not None and task.on_iteration is not None:
            task.on_iteration(done, *task.finite(*current))
        before = time.perf_counter()

    try:
        minimise(
            task.confidence,
            config.objective,
            vectors,
            iterations=config.iterations,
            threads=config.threads,
            on_iteration=after_iteration,
        )
    except FloatingPointError as error:
        raise task.not_finite() from error
    return AlsFit(*task.finite(*vectors), tuple(losses))


def _drawn(task: AlsTask) -> tuple[Floats, Floats]:
    """Random vectors as implicit draws them on the CPU."""
    rng = np.random.default_rng(task.config.seed)
    users, items = (rng.random((rows, task.config.factors), dtype=np.float32) for rows in task.confidence.shape)
    for vectors in (users, items):
        vectors *= np.float32(0.01)
    return users, items
