"""Provenance: all of it, as the report shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import JsonValue

from recsys.data.cleaning import CleaningSummary
from recsys.data.ingest.accounting import RowCounts

if TYPE_CHECKING:
    from recsys.evaluation.cold_start import ColdStartChoice
    from recsys.evaluation.content_sources import ContentSourceSummary
from recsys.evaluation.provenance.choices import Choice, SessionWeight, Stopping, Tradeoff
from recsys.evaluation.provenance.index_summary import IndexSummary
from recsys.evaluation.provenance.model_summary import Continuity, LocalPart, VisitorsSummary
from recsys.evaluation.provenance.split_summary import SplitSummary, StrayTimes


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
