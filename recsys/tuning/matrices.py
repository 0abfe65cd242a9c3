"""Matrices: the validation sets of one short search, one per half-life of the events."""

from dataclasses import dataclass, field

from recsys.data.interactions import Interactions
from recsys.pipeline_config import PipelineConfig
from recsys.tuning.half_life import with_half_life
from recsys.tuning.validation import Validation, ValidationSet
from recsys.tuning.work import WorkBudget, weighing_work


@dataclass(eq=False)
class Matrices:
    """Makes them when they are asked for; two are kept: that of `config`, and the last one.

    `budget`: counts the work of making another. `may_decay`: whether the search may choose the half-life.
    """

    validation: Validation
    config: PipelineConfig
    budget: WorkBudget
    may_decay: bool
    _last: float | None = field(init=False)

    def __post_init__(self) -> None:
        self._last = self.config.prepare.half_life_days

    @property
    def events(self) -> Interactions:
        """Those of the train side."""
        return self.validation.events

    @property
    def work(self) -> float:
        """Nanoseconds of making another."""
        return weighing_work(len(self.events))

    @property
    def as_configured(self) -> ValidationSet:
        """The one that `config` asks for."""
        return self.validation.under(self.config)

    def under(self, half_life_days: float | None) -> ValidationSet:
        """The one of a half-life in days, None for no decay."""
        if half_life_days not in (self._last, self.config.prepare.half_life_days):
            self._last = half_life_days
            self.budget.used += self.work
        return self.validation.under(with_half_life(self.config, half_life_days))
