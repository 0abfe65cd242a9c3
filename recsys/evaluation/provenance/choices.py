"""What was tried on the validation part, and what was chosen."""

from math import isnan
from typing import TYPE_CHECKING

from pydantic import Field, JsonValue

from recsys.models.factors.config import FactorModelConfig
from recsys.pipeline_config import PipelineConfig

if TYPE_CHECKING:
    pass
from recsys.evaluation.provenance.summary import OfPrepare, OrAbsent, Summary, _all_in_words


class Stopping(Summary):
    """How many iterations to train. `curve`: `metric` on the validation part, after `measured_after` iterations.

    If the train side is too small to be split again, both are empty, `reason` says why, and `iterations` is the
    configured number. `n_users`: validation users.
    """

    iterations: int
    metric: str
    curve: tuple[float, ...] = ()
    measured_after: tuple[int, ...] = ()
    n_users: int = 0
    reason: str | None = None

    def applied(self, model: FactorModelConfig) -> FactorModelConfig:
        """`model` with this number of iterations."""
        return model.model_copy(update={"iterations": self.iterations})


class TradeoffPoint(Summary):
    """Lists under one popularity exponent: mean of the metric, coverage and popularity bias at its cut-off."""

    popularity_exponent: float
    score: float
    coverage: float
    popularity_bias: OrAbsent[float] = None

    @staticmethod
    def of(popularity_exponent: float, score: float, coverage: float, popularity_bias: float) -> "TradeoffPoint":
        """The point; a bias of NaN is left out."""
        return TradeoffPoint(
            popularity_exponent=popularity_exponent,
            score=score,
            coverage=coverage,
            popularity_bias=None if isnan(popularity_bias) else popularity_bias,
        )


class Tradeoff(Summary):
    """Accuracy (`metric`) beside coverage for `n_users` validation users, by popularity exponent, ascending.

    `popularity_exponent`: that of the model.
    """

    metric: str
    n_users: int
    popularity_exponent: float
    points: tuple[TradeoffPoint, ...]

    @property
    def at(self) -> int:
        """The place of the model's own point."""
        return [each.popularity_exponent for each in self.points].index(self.popularity_exponent)


class Attempt(Summary):
    """One fit of the short search for settings. `settings`, `prepare`: those of `[model]` and of `[prepare]` that it
    could choose.

    `score`: its best over iterations and the other settings that are found within a fit. `n_users`: users it was
    trained on; a sample if they are fewer than the others' of the same log.
    """

    settings: dict[str, JsonValue]
    score: float
    n_users: int
    prepare: OfPrepare = Field(default_factory=dict)

    def in_words(self) -> str:
        """The settings, see `in_words`."""
        return _all_in_words(self.settings, self.prepare)


class Choice(Summary):
    """What the short search chose. `settings`: of `[model]`, by key; empty if the defaults stay. `prepare`: of
    `[prepare]`, the half-life of events if it was not set, None for no decay.

    `score`: the mean of `metric` over `n_users` validation users. `kept_from`: the serving version whose settings
    stay. `reason`: why nothing was searched. `work`: of the search, as a share of the two fits of a night at the
    largest dimension that was allowed. `ended_early`: the iterations after which the work of the search ended the
    chosen fit before its best number was known; the model then has those of the section or of its default, at least.
    `attempts`: in the order they were made.
    """

    metric: str
    settings: dict[str, JsonValue] = Field(default_factory=dict)
    prepare: OfPrepare = Field(default_factory=dict)
    score: OrAbsent[float] = None
    n_users: int = 0
    kept_from: OrAbsent[str] = None
    reason: OrAbsent[str] = None
    ended_early: OrAbsent[int] = None
    work: OrAbsent[float] = None
    attempts: tuple[Attempt, ...] = ()

    @property
    def half_life_days(self) -> float | None:
        """The half-life of events that was chosen; None if none was, or no decay."""
        days = self.prepare.get("half_life_days")
        return days if isinstance(days, float) else None

    def applied(self, config: PipelineConfig) -> PipelineConfig:
        """`config` with these settings."""
        sections = {
            "model": config.model.model_copy(update=self.settings),
            "prepare": config.prepare.model_copy(update=self.prepare),
        }
        return config.model_copy(update=sections)

    def in_words(self) -> str:
        """The settings, see `in_words`."""
        return _all_in_words(self.settings, self.prepare)


class SessionWeight(Summary):
    """How much the items of a running session count against a stored history, found on sessions of the train side.

    `scores`: the mean of `metric` over `n_users` users for each of the weights `tried`. `session_gap`: seconds of the
    pause that ended a session. `reason`: why none was tried.
    """

    weight: float
    metric: str
    n_users: int = 0
    tried: tuple[float, ...] = ()
    scores: tuple[float, ...] = ()
    session_gap: OrAbsent[int] = None
    reason: OrAbsent[str] = None

    def applied(self, model: FactorModelConfig) -> FactorModelConfig:
        """`model` with this session weight."""
        return model.model_copy(update={"session_weight": self.weight})
