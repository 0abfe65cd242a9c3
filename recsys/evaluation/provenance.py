"""Provenance: the data of a version, and how its model and index were made, as the steps report it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isnan
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, PlainSerializer

from recsys.data.cleaning import CleaningSummary
from recsys.data.ingest.accounting import RowCounts
from recsys.evaluation.number_format import count
from recsys.models.factors.config import FactorModelConfig
from recsys.pipeline_config import PipelineConfig

if TYPE_CHECKING:
    from recsys.evaluation.cold_start import ColdStartChoice
    from recsys.evaluation.content_sources import ContentSourceSummary

Value = TypeVar("Value")

OrAbsent = Annotated[Value | None, Field(exclude_if=lambda value: value is None)]
"""A field that has no key in JSON if it is None."""


class Summary(BaseModel):
    """Facts with one JSON form: `model_dump(mode="json")` writes it, `model_validate` reads it. Frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, serialize_by_alias=True)


Rows = Annotated[RowCounts, PlainSerializer(RowCounts.to_dict)]
Cleaning = Annotated[CleaningSummary, PlainSerializer(CleaningSummary.to_dict)]


def other_users(cleaning: CleaningSummary) -> str:
    """How many users of the log were not trained on, and what they are served; empty if there are none."""
    parts = (
        (cleaning.n_folded_in, "folded in"),
        (cleaning.n_bots, "with too many events"),
        (cleaning.n_without_history, "without a trained item"),
    )
    told = ", ".join(f"{count(n)} {what}" for n, what in parts if n)
    return f"other users: {told}" if told else ""


class StrayTimes(Summary):
    """Events far outside of a log's span (`recsys.data.log_span`): they are kept, but move no date.

    `n_before`, `n_after`: their numbers. `oldest`, `newest`: UTC seconds of the farthest ones, None if there are none
    on that side; `oldest_row`, `newest_row`: source and position of their rows.
    """

    n_before: int = 0
    n_after: int = 0
    oldest: OrAbsent[int] = None
    oldest_row: OrAbsent[str] = None
    newest: OrAbsent[int] = None
    newest_row: OrAbsent[str] = None

    def sentence(self) -> str:
        """How many there are, and the farthest row on each side."""
        parts = []
        if self.n_after:
            parts.append(_strays(self.n_after, "after the end of the log", self.newest, self.newest_row, "newest"))
        if self.n_before:
            parts.append(_strays(self.n_before, "before its beginning", self.oldest, self.oldest_row, "oldest"))
        return f"stray times: {'; '.join(parts)}. They are kept, but move no date"


def _strays(n: int, where: str, seconds: int | None, row: str | None, which: str) -> str:
    moment = "" if seconds is None else f", the {which} at {datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
    place = f" ({row})" if row else ""
    return f"{n:,} event{'' if n == 1 else 's'} far {where}{moment}{place}"


BaselineSettings = Annotated[dict[str, dict[str, float]], Field(exclude_if=lambda value: not value)]
"""Baseline to the settings that it found on the train side; no key in JSON if none did."""


class SplitSummary(Summary):
    """What was held out: `kind` as in `evaluate.split`, the rest as in `Split`. `cut`: UTC seconds.

    `exclude_seen`: whether the measured lists leave out seen items. `seen_events`: the kinds of event that make an
    item seen; every kind if it is empty. `held_seconds`: the length of a temporal holdout.
    """

    kind: str
    cut: int | None
    counts: dict[str, int]
    dropped: dict[str, int]
    dropped_users: dict[str, int]
    exclude_seen: bool = True
    seen_events: tuple[str, ...] = ()
    held_seconds: OrAbsent[int] = None


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


def in_words(settings: Mapping[str, JsonValue]) -> str:
    """Settings as "factors 64, weighting log"."""
    return ", ".join(f"{key} {_value_in_words(value)}" for key, value in settings.items())


def _value_in_words(value: JsonValue) -> str:
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


OfPrepare = Annotated[dict[str, JsonValue], Field(exclude_if=lambda value: not value)]
"""Settings of `[prepare]` that were chosen, by key; no key in JSON if none could be."""


def _all_in_words(settings: Mapping[str, JsonValue], prepare: Mapping[str, JsonValue]) -> str:
    return in_words({**settings, **{f"prepare.{key}": value for key, value in prepare.items()}})


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


class MeanOfVisitors(Summary):
    """A mean over visitors and the bounds of its interval."""

    mean: float
    low: OrAbsent[float] = None
    high: OrAbsent[float] = None


class VisitorsWithItems(Summary):
    """Visitors of whom `n_known` items are known, and the metric of every model, by name."""

    n_known: int
    n_visitors: int
    models: dict[str, MeanOfVisitors]


class VisitorsSummary(Summary):
    """How good lists are for people of whom only a few items are known. `source`: where they come from."""

    metric: str
    source: str
    known: tuple[VisitorsWithItems, ...]


class Continuity(Summary):
    """How the published vectors are tied to an earlier version; empty with `model.continuity = "none"`.

    A warm start has `started_from`, an aligned fit `aligned_to`, and a fit tied to no version the reason,
    `tied_to_none`. `not_warm`: why a configured warm start was not made. `warm_nights`: warm starts in a row,
    including this one. `mean_item_cosine`: between an item's vectors now and then.
    """

    started_from: OrAbsent[str] = None
    aligned_to: OrAbsent[str] = None
    tied_to_none: OrAbsent[str] = None
    not_warm: OrAbsent[str] = None
    warm_nights: OrAbsent[int] = None
    iterations: OrAbsent[int] = None
    mean_item_cosine: OrAbsent[float] = None
    new_items: OrAbsent[int] = None
    new_users: OrAbsent[int] = None
    training_recall: OrAbsent[float] = Field(None, alias="training_recall@20")
    training_recall_before: OrAbsent[float] = Field(None, alias="training_recall@20_before")

    @property
    def tied_to(self) -> str | None:
        """The earlier version, whichever way the vectors are tied to it."""
        return self.started_from or self.aligned_to


class LocalPart(Summary):
    """The neighbours of a model. `asked`: `model.neighbours`. `n_weights`: of all items; 0 if none came.

    `n_users`: of the training matrix. `learned_from`: how many of them the weights were learned from.
    """

    asked: int
    n_weights: int
    n_users: int
    learned_from: int

    def nothing_came(self) -> str | None:
        """What to know if neighbours were asked for and none came."""
        if self.n_weights:
            return None
        return (
            f"model.neighbours asks for {self.asked}, but none were learned: too few users have two items, or the"
            " vectors tell no items apart; scores are those of the vectors alone"
        )

    def sampled(self) -> str | None:
        """That only some users were learned from."""
        if self.learned_from == self.n_users:
            return None
        return (
            f"The weights of neighbours were learned from a sample of {count(self.learned_from)} of"
            f" {count(self.n_users)} users, because all of them would take too long."
        )


class IndexCandidate(Summary):
    """One index that was built and measured. `recall`: by situation. Times are of one query, in microseconds.

    `bytes`: size of its files without the vectors. `estimated_microseconds`: from counted work, by which candidates
    are compared; `microseconds`: by the clock.
    """

    kind: str
    parameters: dict[str, int]
    build_seconds: float
    bytes: int
    recall: dict[str, float]
    microseconds: float
    estimated_microseconds: float
    meets_target: bool
    published: bool


class IndexNotBuilt(Summary):
    """A family of index that was not built, and the reason."""

    kind: str
    reason: str


class IndexSummary(Summary):
    """The published index. Its parameters and recalls ("recall@100") are further keys: see `facts`."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, JsonValue]

    kind: str
    candidates: Annotated[tuple[IndexCandidate, ...], Field(exclude_if=lambda value: not value)] = ()
    not_built: Annotated[tuple[IndexNotBuilt, ...], Field(exclude_if=lambda value: not value)] = ()
    similar: OrAbsent["IndexSummary"] = None

    @property
    def facts(self) -> dict[str, JsonValue]:
        """Kind, parameters and recalls."""
        return {"kind": self.kind, **self.__pydantic_extra__}


@dataclass(frozen=True, kw_only=True)
class LogSource:
    """The log: its fingerprint, the names of its files, its newest event (UTC seconds; None without times).

    `stray_times`: events far outside of its span, None if there are none.
    """

    fingerprint: str
    files: tuple[str, ...]
    newest: int | None
    stray_times: StrayTimes | None = None


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """The facts of all steps; unknown ones are None or empty.

    `ingest`, `holdout_ingest`: rows of the log, and of the files of a given holdout. `losses`: of the training, by
    iteration. `settings`: the resolved configuration as plain values. `timings`: seconds by step.
    `warnings`: what each step warned of. `visitors`: None if none were measured. `session_weight`: None if it is set.
    `neighbours`: None if none were asked for. `baseline_settings`: baseline to the settings that it found.
    `tradeoff`: accuracy and coverage of the model on the validation part.
    `content`: what the `[[content]]` tables made of the items. `cold_start`: how items without events get vectors;
    None without content.
    """

    split: SplitSummary
    log: LogSource | None = None
    ingest: RowCounts | None = None
    holdout_ingest: RowCounts | None = None
    cleaning: CleaningSummary | None = None
    losses: tuple[float, ...] = ()
    stopping: Stopping | None = None
    choice: Choice | None = None
    tradeoff: Tradeoff | None = None
    visitors: VisitorsSummary | None = None
    session_weight: SessionWeight | None = None
    training: Continuity = field(default_factory=Continuity)
    neighbours: LocalPart | None = None
    index: IndexSummary | None = None
    settings: Mapping[str, JsonValue] | None = None
    timings: Mapping[str, float] = field(default_factory=dict)
    warnings: Mapping[str, Sequence[str]] = field(default_factory=dict)
    baseline_settings: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    content: tuple["ContentSourceSummary", ...] = ()
    cold_start: "ColdStartChoice | None" = None
