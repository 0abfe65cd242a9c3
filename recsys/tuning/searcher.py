"""Searcher: what every trial of a search shares."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recsys.config import ModelConfig
from recsys.evaluation.metrics import Values
from recsys.evaluation.significance import Interval, paired_difference
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress
from recsys.tuning.budget import Budget
from recsys.tuning.measured_fits import Measured, measure
from recsys.tuning.settings import Settings, applied, event_settings, model_settings
from recsys.tuning.space import Point
from recsys.tuning.validation import Questions, Validation


@dataclass(frozen=True, eq=False)
class Searcher:
    """`config`: the settings to start from. `folder`: of the study. `announce`: hears what is better than before."""

    config: PipelineConfig
    validation: Validation
    folder: Path
    budget: Budget
    progress: Progress
    announce: Callable[[str], None]

    def settings_at(self, point: Point) -> Settings:
        """The settings that a point stands for."""
        settings = event_settings(point, self.config)
        questions = self.validation.questions(applied(self.config, settings))
        return settings | model_settings(point, self.config.model, questions.train)

    def asked(self, settings: Settings, factors: int, **more: Any) -> tuple[Questions, ModelConfig]:
        """The questions under `settings`, and the model to put them to."""
        config = applied(self.config, settings)
        model = config.model.model_copy(update={"factors": factors, "log_loss": False, **more})
        return self.validation.questions(config), model

    def measure(self, settings: Settings, factors: int) -> Measured | None:
        """What settings reach exactly as they are; None where the budget was spent before."""
        return measure(*self.asked(settings, factors), keep_on=lambda: not self.budget.spent())

    def gain(self, better: Values, worse: Values) -> Interval:
        """What one has over the other, user by user; the interval as `[evaluate]` wants it."""
        evaluate = self.config.evaluate
        rng = np.random.default_rng(evaluate.seed)
        return paired_difference(better, worse, samples=evaluate.bootstrap, confidence=evaluate.confidence, rng=rng)

    def say(self, factors: int, what: str, score: float) -> None:
        """A score, in a line for people."""
        self.announce(f"{factors} factors, {what}: {self.config.publish.metric} {score:.4f}")
