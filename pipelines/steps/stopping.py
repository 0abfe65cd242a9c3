"""Stopping: how many iterations to train, asked of a part of the train side; the holdout is not looked at."""

import logging
from dataclasses import dataclass
from typing import Any

from recsys.config import ModelConfig
from recsys.data.interactions import Interactions
from recsys.errors import DataError
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress, silent
from recsys.tuning.measured_fits import best_of, follow
from recsys.tuning.validation import Validation

log = logging.getLogger(__name__)

_USERS = 5_000
"""Validation users asked at most."""


@dataclass(frozen=True)
class Stopping:
    """How many iterations to train. `curve`: the validation figure after each one looked at, `metric` of `n_users`.

    Where the train side is too thin to be cut once more, `curve` is empty, `reason` says so, and `iterations` is the
    number of the configuration.
    """

    iterations: int
    metric: str
    curve: tuple[float, ...] = ()
    n_users: int = 0
    reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for the step's summary."""
        return {
            "iterations": self.iterations,
            "metric": self.metric,
            "curve": list(self.curve),
            "n_users": self.n_users,
            "reason": self.reason,
        }

    def applied(self, model: ModelConfig) -> ModelConfig:
        """`model` with this many iterations."""
        return model.model_copy(update={"iterations": self.iterations})


def stop_on_validation(events: Interactions, config: PipelineConfig, *, progress: Progress = silent) -> Stopping:
    """Hold out a part of the train side once more, fit the rest; after which iteration is the part found best?

    `events`: the whole log; its holdout is thrown away first. Raises ModelError where the fit fails.
    """
    metric, model = config.publish.metric, config.model
    try:
        questions = Validation(events, config, n_users=_USERS).questions(config)
    except DataError as error:
        log.warning("iterations are not stopped on validation: the train side cannot be cut once more: %s", error)
        return Stopping(model.iterations, metric, reason=str(error))
    found = follow(questions, model, progress=progress)
    best = best_of(found)
    log.info(
        "stopped on validation users=%d iterations=%d %s=%.4f", questions.n_users, best.iterations, metric, best.score
    )
    return Stopping(best.iterations, metric, tuple(each.score for each in found), questions.n_users)
