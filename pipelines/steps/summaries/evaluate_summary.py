"""What encode and evaluate did."""

from pydantic import Field, JsonValue

from pipelines.steps.summaries.step_summary import StepSummary
from recsys.config import duration_text
from recsys.evaluation.cold_start import ColdStartChoice
from recsys.evaluation.content_sources import ContentSourceSummary
from recsys.evaluation.definitions import coverage_of
from recsys.evaluation.number_format import count, figure
from recsys.evaluation.provenance import (
    BaselineSettings,
    Choice,
    LearnedFrom,
    OrAbsent,
    SessionWeight,
    SplitSummary,
    Stopping,
    Tradeoff,
    VisitorsSummary,
)
from recsys.tuning.found import Found


class EncodeSummary(StepSummary):
    """`n_items`: of the matrix and the catalogue. `sources`: the `[[content]]` tables, in their order."""

    step = "encode"

    n_items: int
    sources: tuple[ContentSourceSummary, ...]

    def log_fields(self) -> dict[str, JsonValue]:
        """Items, and by source those that it knows and those whose vectors are of an earlier night."""
        counts = dict[str, JsonValue]()
        for each in self.sources:
            counts |= {f"known/{each.name}": each.n_known, f"reused/{each.name}": each.n_reused}
        return {"rows_in": self.n_items, "rows_out": self.n_items, **counts}

    def sentence(self) -> str:
        """What each source knows."""
        return "; ".join(each.sentence() for each in self.sources)

    def warnings(self) -> tuple[str, ...]:
        """Sentences about what is wrong with items and sources."""
        return tuple(warning for each in self.sources for warning in each.warnings())


class EvaluateSummary(StepSummary):
    """`means`: model to the mean of `metric`, the one that the gates use. `metrics`: model to all its means.

    `stopping`: None if the number of iterations was not looked for. `choice`: None if no setting was open.
    `baseline_settings`: baseline to the settings that it found on the train side. `visitors`: None if none were
    measured. `session_weight`: None if it is set. `cold_start`: None without `[[content]]`. `learned_from`: None if
    everything was learned from the whole log.
    """

    step = "evaluate"

    metric: str
    means: dict[str, float]
    metrics: dict[str, dict[str, float]]
    n_users: int
    split: SplitSummary
    stopping: Stopping | None
    visitors: VisitorsSummary | None = None
    session_weight: SessionWeight | None = None
    baseline_settings: BaselineSettings = Field(default_factory=dict)
    choice: Choice | None = None
    tradeoff: OrAbsent[Tradeoff] = None
    cold_start: OrAbsent[ColdStartChoice] = None
    learned_from: OrAbsent[LearnedFrom] = None

    @property
    def found(self) -> Found:
        """What evaluate and train fit with."""
        return Found(self.choice, self.stopping, self.tradeoff)

    def log_fields(self) -> dict[str, JsonValue]:
        """Events on both sides of the split, evaluated users, and the metric of every model."""
        counts = self.split.counts
        rows = {
            "rows_in": counts.get("n_train_events", 0) + counts.get("n_holdout_events", 0),
            "rows_out": self.n_users,
        }
        return {**rows, **{f"{self.metric}/{name}": round(mean, 6) for name, mean in self.means.items()}}

    def sentence(self) -> str:
        """The primary metric of every model, and when training stopped."""
        coverage = coverage_of(self.metric)
        means = ", ".join(f"{name} {mean:.4f}{self._covered(name, coverage)}" for name, mean in self.means.items())
        over = f"{self.metric} ({coverage}) over {count(self.n_users)} users"
        chosen = f"{self._chosen()}{self._sessions()}{self._stopped()}"
        return f"{over}: {means}{self._held_out()}{chosen}{self._cold()}{self._learned()}{self._mostly_seen()}"

    def _cold(self) -> str:
        return "" if self.cold_start is None else f"; {self.cold_start.sentence()}"

    def _learned(self) -> str:
        return "" if self.learned_from is None else f"; {self.learned_from.sentence()}"

    def _chosen(self) -> str:
        """Which settings were chosen, and from how many."""
        if (choice := self.choice) is None:
            return ""
        if choice.reason:
            return f"; default settings, none chosen: {choice.reason}"
        stay = f" (those of {choice.kept_from} stay)" if choice.kept_from else ""
        return (
            f"; settings chosen on {count(choice.n_users)} validation users{stay}: {choice.in_words()};"
            f" {count(len(choice.attempts))} fits tried{self._ended_early()}"
        )

    def _ended_early(self) -> str:
        """That the search had no work left to find the best number of iterations, if so."""
        if self.choice is None or self.choice.ended_early is None or self.stopping is None:
            return ""
        return (
            f"; the work of the search ended the chosen fit after iteration {self.choice.ended_early}, before the"
            f" best number was known: iterations {self.stopping.iterations} (a higher model.auto_share allows more)"
        )

    def _covered(self, name: str, coverage: str) -> str:
        share = self.metrics.get(name, {}).get(coverage)
        return "" if share is None else f" ({figure(share)})"

    def _sessions(self) -> str:
        found = self.session_weight
        return "" if found is None or found.weight == 1 else f"; session weight {found.weight:g}"

    def _held_out(self) -> str:
        held = self.split.held_seconds
        return "" if held is None else f"; the last {duration_text(held)} held out"

    def _mostly_seen(self) -> str:
        """What to do if most of the holdout is not measured because the users had seen it before."""
        n_pairs, n_seen = self.split.counts.get("n_holdout_pairs", 0), self.split.dropped.get("already_seen", 0)
        if 2 * n_seen <= n_pairs:
            return ""
        return (
            f"; {count(n_seen)} of {count(n_pairs)} held-out pairs were seen before and are not measured: if people"
            " take the same items again, set evaluate.exclude_seen = false"
        )

    def _stopped(self) -> str:
        choice = self.choice
        if self.stopping is None or not self.stopping.curve:
            return ""
        if choice and ("iterations" in choice.settings or choice.ended_early is not None):
            return ""
        if self.stopping.measured_after[-1] == self.stopping.iterations:
            return f"; best after iteration {self.stopping.iterations}, the last that model.iterations allows"
        return f"; stopped after iteration {self.stopping.iterations}"
