"""What each step did, typed: the same summary is in step.json, in `--json`, in the report and in the manifest."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, ClassVar, TypeVar

from pydantic import ConfigDict, Field, JsonValue

from recsys.config import duration_text
from recsys.data.attributes import AttributeFacts
from recsys.data.catalogue_join import CatalogueJoin
from recsys.data.profile import LogProfile
from recsys.evaluation.cold_start import ColdStartChoice
from recsys.evaluation.content_sources import ContentSourceSummary
from recsys.evaluation.definitions import coverage_of
from recsys.evaluation.number_format import count, figure, percent
from recsys.evaluation.outcome import Outcome
from recsys.evaluation.provenance import (
    BaselineSettings,
    Choice,
    Cleaning,
    Continuity,
    IndexSummary,
    LocalPart,
    OrAbsent,
    Rows,
    SessionWeight,
    SplitSummary,
    Stopping,
    StrayTimes,
    Summary,
    Tradeoff,
    VisitorsSummary,
    other_users,
)
from recsys.tuning.found import Found


class StepSummary(Summary):
    """The summary of one step. `step`: its name."""

    step: ClassVar[str]

    @abstractmethod
    def sentence(self) -> str:
        """One line for people."""

    @abstractmethod
    def log_fields(self) -> dict[str, JsonValue]:
        """What the log of the night says: `rows_in`, `rows_out`, and a few more counts; never an id of a user."""


AnySummary = TypeVar("AnySummary", bound=StepSummary)


class Fingerprints(Summary):
    """Of the log, of the event store beside it, of the catalogue, and of a given holdout."""

    log: str
    events: OrAbsent[str] = None
    catalogue: OrAbsent[str] = None
    holdout: OrAbsent[str] = None


class LogFileCounts(Summary):
    """Files of the log: those that were read, those of them without rows, and others that are one of them."""

    read: int
    without_rows: int
    repeated: int

    def sentence(self) -> str:
        """Empty if every file was read and had rows."""
        parts = {
            f"of {count(self.read)} files without rows": self.without_rows,
            "files left out, which are others under a second name": self.repeated,
        }
        return "".join(f"; {count(n)} {what}" for what, n in parts.items() if n)


class CatalogueSummary(Summary):
    """How the catalogue fits the log, how its attributes were read, by name, and how many items no list shows."""

    join: CatalogueJoin
    attributes: dict[str, AttributeFacts] = Field(default_factory=dict)
    n_excluded: int = 0

    def sentence(self) -> str:
        """Items and events without a row, attributes with unreadable values, and items that are left out."""
        join = self.join
        shares = (
            f"the catalogue has {percent(join.share_of_items)} of the items, with {percent(join.share_of_events)} of"
            " the events"
        )
        parts = [shares] if join.n_items_known < join.n_items else []
        parts += [f"{count(self.n_excluded)} items in no list (items.exclude)"] if self.n_excluded else []
        return "".join(f"; {part}" for part in [*parts, *self._unreadable()])

    def warnings(self) -> tuple[str, ...]:
        """Sentences about what the join or the attributes lost."""
        return (*self.join.warnings(), *(f"attribute {each}; they count as unknown" for each in self._unreadable()))

    def _unreadable(self) -> list[str]:
        return [f"{name!r}: {each.fault}" for name, each in self.attributes.items() if each.n_unreadable]


class IncrementSummary(Summary):
    """Rows of an incremental log. `since`: UTC seconds from which on rows were fetched, None if all were.

    `kept` + `fetched` are the rows read; `replaced`: rows of the kept copy that were fetched anew, or are gone.
    """

    since: int | None
    kept: int
    fetched: int
    replaced: int

    def sentence(self) -> str:
        """Where the rows are from."""
        if self.since is None:
            return f"; all {count(self.fetched)} rows fetched, and kept for the next night"
        moment = f"{datetime.fromtimestamp(self.since, UTC):%Y-%m-%d %H:%M}"
        return (
            f"; {count(self.kept)} rows kept, {count(self.fetched)} fetched from {moment} UTC on, in place of"
            f" {count(self.replaced)}"
        )


class PrepareSummary(StepSummary):
    """Rows and events by what became of them.

    `items_without_events`: items that only the catalogue has. `newest_event`: UTC seconds, None without times.
    `profile`: what the next nights are compared with. `stray_times`: None if no event is far outside of the log.
    `began_at`: when the step began, before it read the catalogue: UTC, ISO 8601.
    """

    step = "prepare"

    rows: Rows
    cleaning: Cleaning
    items_without_events: int
    fingerprints: Fingerprints
    newest_event: int | None
    profile: OrAbsent[LogProfile] = None
    holdout_rows: OrAbsent[Rows] = None
    files: OrAbsent[LogFileCounts] = None
    increment: OrAbsent[IncrementSummary] = None
    catalogue: OrAbsent[CatalogueSummary] = None
    stray_times: OrAbsent[StrayTimes] = None
    began_at: OrAbsent[str] = None

    def log_fields(self) -> dict[str, JsonValue]:
        """Rows of the log, and the matrix that they became."""
        rows, matrix = self.rows, self.cleaning
        counts = {
            "rows_in": rows.rows_read,
            "rows_out": rows.accepted,
            "refused": rows.n_refused,
            "ignored": sum(rows.ignored.values()),
            "merged": rows.merged,
        }
        return {
            **counts,
            "users": matrix.n_users,
            "items": matrix.n_items,
            "entries": matrix.entries,
            "folded_in": matrix.n_folded_in,
        }

    def sentence(self) -> str:
        """Rows by reason, and the size of the matrix."""
        rows, cleaning = self.rows, self.cleaning
        ignored = {f"{name} ignored": n for name, n in rows.ignored.items()}
        others = {"merged": rows.merged, "lines within quotes": rows.quoted_lines, "blank lines": rows.blank_lines}
        reasons = {**rows.refused, **others, **ignored, **rows.notes}
        refused = "".join(f"; {count(n)} {reason}" for reason, n in reasons.items() if n)
        more = (
            f"; {count(self.items_without_events)} more items in the catalogue" if self.items_without_events else ""
        )
        return (
            f"{count(rows.rows_read)} rows read, {count(rows.accepted)} accepted{refused}; matrix"
            f" {count(cleaning.n_users)} users x {count(cleaning.n_items)} items, {count(cleaning.entries)} entries"
            f"{'; ' if (users := other_users(cleaning)) else ''}{users}{more}"
            f"{''.join(part.sentence() for part in (self.catalogue, self.files, self.increment) if part)}"
            f"{f'; {self.stray_times.sentence()}' if self.stray_times else ''}"
        )


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
    measured. `session_weight`: None if it is set. `cold_start`: None without `[[content]]`.
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
        return f"{over}: {means}{self._held_out()}{chosen}{self._cold()}{self._mostly_seen()}"

    def _cold(self) -> str:
        return "" if self.cold_start is None else f"; {self.cold_start.sentence()}"

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


class TrainSummary(StepSummary):
    """The size of the model, its loss by iteration, and how its vectors are tied to an earlier version.

    `cleaning`: what became of the events, if they were weighed anew under a half-life that was chosen. `neighbours`:
    None if none were asked for.
    """

    step = "train"

    n_users: int
    n_items: int
    entries: int
    factors: int
    losses: tuple[float, ...]
    training: Continuity
    cleaning: OrAbsent[Cleaning] = None
    neighbours: OrAbsent[LocalPart] = None

    def log_fields(self) -> dict[str, JsonValue]:
        """Entries of the matrix, and vectors made of them."""
        sizes = {"users": self.n_users, "items": self.n_items, "factors": self.factors}
        return {"rows_in": self.entries, "rows_out": self.n_users + self.n_items, **sizes}

    def sentence(self) -> str:
        """The size of the model, and what its vectors are tied to."""
        return f"{self.factors} factors for {count(self.n_users)} users and {count(self.n_items)} items{self._tied()}"

    def _tied(self) -> str:
        training = self.training
        if training.tied_to_none:
            return f"; not aligned with an earlier version: {training.tied_to_none}"
        if training.tied_to is None:
            return ""
        how = "continued from" if training.started_from else "fitted from scratch, aligned with"
        why = f" ({training.not_warm})" if training.not_warm else ""
        return f"; {how} {training.tied_to}{why}, mean item cosine {figure(training.mean_item_cosine)}"


class IndexStepSummary(IndexSummary, StepSummary):
    """The published index and the one for similar items. `n_items`: indexed vectors."""

    model_config = ConfigDict(extra="allow")
    step = "index"

    n_items: OrAbsent[int] = None

    def log_fields(self) -> dict[str, JsonValue]:
        """Items of the index, its kind and its recall."""
        return {
            "rows_in": self.n_items,
            "rows_out": self.n_items,
            "kind": self.kind,
            "recall@100": self.facts.get("recall@100"),
        }

    def sentence(self) -> str:
        """The kind of the index and its recall."""
        recall = self.facts.get("recall@100")
        return f"{self.kind}, recall@100 {recall:.4f}" if isinstance(recall, float | int) else self.kind


class PublishSummary(StepSummary):
    """`unchanged`: this very version served before. `held`: another version, which is held and serves on.

    `outcome`: the report in a few sentences. `changed_inputs`: what changed in the files of the log and the catalogue
    since prepare read them. `counts`: users, items and entries of the version.
    `pruned`: versions that `publish.keep` removed from the store.
    """

    step = "publish"

    version: str
    verdict: str
    unchanged: bool
    held: OrAbsent[str] = None
    outcome: OrAbsent[Outcome] = None
    pruned: Annotated[tuple[str, ...], Field(exclude_if=lambda value: not value)] = ()
    changed_inputs: Annotated[tuple[str, ...], Field(exclude_if=lambda value: not value)] = ()
    counts: dict[str, int] = Field(default_factory=dict, exclude_if=lambda value: not value)

    def log_fields(self) -> dict[str, JsonValue]:
        """Entries and users of the version, and whether it is new."""
        return {
            "rows_in": self.counts.get("entries"),
            "rows_out": self.counts.get("users"),
            "version": self.version,
            "verdict": self.verdict,
            "unchanged": self.unchanged,
            "held": self.held,
        }

    def sentence(self) -> str:
        """The version, whether it is new and serves, what is equal if it is not new, and what was pruned."""
        pruned = f"; {len(self.pruned)} older removed (publish.keep)" if self.pruned else ""
        return self._state() + pruned

    def _state(self) -> str:
        if self.held is not None:
            return f"{self.version} accepted and sealed, but {self.held} is held and serves on"
        if not self.unchanged:
            return f"{self.version} accepted"
        if self.changed_inputs:
            return f"{self.version} serves already: equal as prepare read its input files, which have changed since"
        return f"{self.version} serves already: settings, log, catalogue and vectors are equal to its own"


class ExportResult(Summary):
    """What became of one target. `to`: as it is shown. `version`: whose lists it has now, None if that is unknown.

    `settings`: a hash of its table in the configuration. `skipped`: it had these lists already. `problem`: why the
    lists could not be written; those that were there are untouched.
    """

    to: str
    version: str | None
    settings: str
    rows: int = 0
    skipped: bool = False
    problem: OrAbsent[str] = None

    def sentence(self) -> str:
        """What it has now, and why it has no new lists."""
        if self.problem is not None:
            return f"FAILED: {self.problem}"
        if self.skipped:
            return f"{self.to} has the lists of {self.version} already"
        return f"{count(self.rows)} rows of {self.version} in {self.to}"


class ExportSummary(StepSummary):
    """`version`: the one that serves. `exports`: one result per table of the configuration, in their order."""

    step = "export"

    version: str
    exports: tuple[ExportResult, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """Why lists could not be written, by target."""
        return tuple(each.problem for each in self.exports if each.problem is not None)

    def log_fields(self) -> dict[str, JsonValue]:
        """Rows that were written, and targets by what became of them."""
        rows = sum(each.rows for each in self.exports)
        skipped = sum(each.skipped for each in self.exports)
        return {
            "rows_in": rows,
            "rows_out": rows,
            "version": self.version,
            "targets": len(self.exports),
            "skipped": skipped,
            "failed": len(self.problems),
        }

    def sentence(self) -> str:
        """What became of each target."""
        return "; ".join(each.sentence() for each in self.exports)


@dataclass(frozen=True)
class JobSummary:
    """The summaries of the steps that ran, and the seconds each took, by the step's name and in order.

    Reading the summary of a step that did not run raises KeyError.
    """

    summaries: Mapping[str, StepSummary]
    seconds: Mapping[str, float]

    @property
    def prepare(self) -> PrepareSummary:
        """What prepare did."""
        return self._of(PrepareSummary)

    @property
    def encode(self) -> EncodeSummary:
        """What encode did."""
        return self._of(EncodeSummary)

    @property
    def evaluate(self) -> EvaluateSummary:
        """What evaluate did."""
        return self._of(EvaluateSummary)

    @property
    def train(self) -> TrainSummary:
        """What train did."""
        return self._of(TrainSummary)

    @property
    def index(self) -> IndexStepSummary:
        """What index did."""
        return self._of(IndexStepSummary)

    @property
    def publish(self) -> PublishSummary:
        """What publish did."""
        return self._of(PublishSummary)

    @property
    def export(self) -> ExportSummary:
        """What export did."""
        return self._of(ExportSummary)

    def __contains__(self, step: object) -> bool:
        return step in self.summaries

    def _of(self, kind: type[AnySummary]) -> AnySummary:
        summary = self.summaries[kind.step]
        if not isinstance(summary, kind):
            raise TypeError(f"{kind.step}: got a {type(summary).__name__}, expected a {kind.__name__}")
        return summary

    def to_dict(self) -> dict[str, dict[str, JsonValue]]:
        """Step to its summary as JSON, with its seconds."""
        return {
            step: {**summary.model_dump(mode="json"), "seconds": self.seconds[step]}
            for step, summary in self.summaries.items()
        }
