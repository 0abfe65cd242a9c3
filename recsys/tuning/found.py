"""Found: what the short search of a night, and early stopping, found for a configuration."""

from dataclasses import dataclass

from recsys.evaluation.provenance import Choice, Stopping, Tradeoff
from recsys.models.factors.config import FactorModelConfig
from recsys.pipeline_config import PipelineConfig


@dataclass(frozen=True)
class Found:
    """What `evaluate` and `train` fit with. None: nothing was searched, or there is nothing to stop.

    `tradeoff`: of the fit that was chosen, None if there was none on the validation part.
    """

    choice: Choice | None
    stopping: Stopping | None
    tradeoff: Tradeoff | None = None

    def applied(self, config: PipelineConfig) -> PipelineConfig:
        """`config` with what was found."""
        chosen = self.choice.applied(config) if self.choice else config
        model = self.stopping.applied(chosen.model) if self.stopping else chosen.model
        return chosen.model_copy(update={"model": model})


@dataclass(frozen=True, eq=False)
class Serving:
    """A version that serves: its name, its `[model]` section, and its `prepare.half_life_days`."""

    version: str
    model: FactorModelConfig
    half_life_days: float | None = None
