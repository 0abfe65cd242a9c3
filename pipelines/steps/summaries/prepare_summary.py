"""What prepare read, left out and kept."""

from datetime import UTC, datetime

from pydantic import Field, JsonValue

from pipelines.steps.summaries.step_summary import StepSummary
from recsys.data.attributes import AttributeFacts
from recsys.data.catalogue_join import CatalogueJoin
from recsys.data.profile import LogProfile
from recsys.evaluation.number_format import count, percent
from recsys.evaluation.provenance import (
    Cleaning,
    OrAbsent,
    Rows,
    StrayTimes,
    Summary,
    other_users,
)


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
