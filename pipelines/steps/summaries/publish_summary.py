"""What publish and export did."""

from typing import Annotated

from pydantic import Field, JsonValue

from pipelines.steps.summaries.step_summary import StepSummary
from recsys.evaluation.number_format import count
from recsys.evaluation.outcome import Outcome
from recsys.evaluation.provenance import (
    OrAbsent,
    Summary,
)


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
