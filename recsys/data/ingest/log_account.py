"""LogAccount: what became of all rows of a log, from what became of those of its batches."""

import logging
from collections import Counter

from recsys.config import LogSchema
from recsys.data.ingest.accounting import Quarantine, RowCounts
from recsys.data.ingest.line_tally import LineTally
from recsys.data.ingest.log_ends import LogEnds
from recsys.data.ingest.row_checks import RowFacts
from recsys.errors import DataError

logger = logging.getLogger(__name__)


class LogAccount:
    """Adds up the batches of one log, in its order. `refused`: gets the refused rows; `ends`: the ends of the log."""

    def __init__(self, refused: Quarantine, ends: LogEnds | None = None) -> None:
        self._refused, self._ends = refused, ends
        self._lines, self._rows, self._accepted = LineTally(), 0, 0
        self._ignored, self._notes = Counter[str](), Counter[str]()

    def add(self, rows: RowFacts) -> None:
        """Add the next batch."""
        self._refused.add(rows.refused)
        self._lines.add(rows.refused.origin, rows.lines)
        self._ignored.update(rows.ignored)
        if self._ends is not None:
            self._ends.add(rows.ends)
        self._notes.update(rows.notes)
        self._rows += rows.n_rows
        self._accepted += rows.n_accepted

    def counts(self, description: str, log: LogSchema) -> RowCounts:
        """The counts of all rows; odd lines are logged as warnings. `description`: of the source.

        Raises TooManyRefusedError if more than `log.max_refused_share` are refused, DataError if none is accepted.
        """
        refused = self._refused
        counts = RowCounts(
            self._rows,
            self._accepted,
            refused.counts,
            ignored=self._ignored,
            notes=self._notes,
            blank_lines=self._lines.blank,
            quoted_lines=self._lines.quoted,
        )
        self._lines.warn("log")
        if not self._rows:
            raise DataError(f"{description}: holds no rows")
        refused.check(counts, max_share=log.max_refused_share)
        if not counts.accepted:
            raise DataError(f"{description}: {_nothing_left(counts, refused)}")
        return counts

    def tell(self, description: str, counts: RowCounts, *, seconds: float) -> None:
        """Log the counts, and what is odd about the rows."""
        refused = self._refused
        logger.info(
            "%s: %d rows read in %.1f s = %d accepted + %d refused + %d merged + %d ignored",
            description,
            counts.rows_read,
            seconds,
            counts.accepted,
            counts.n_refused,
            counts.merged,
            counts.n_ignored,
        )
        for note, n_rows in counts.notes.items():
            logger.info("%s: %d %s", description, n_rows, note)
        if (mixed := refused.mixed_units()) is not None:
            logger.warning("%s: %s", description, mixed)
        if counts.n_refused:
            logger.info("%s: refused rows:\n%s", description, refused.summary())


def _nothing_left(counts: RowCounts, refused: Quarantine) -> str:
    """Why no row of a log is accepted."""
    if not counts.n_ignored:
        return f"all {counts.rows_read:,} rows are refused:\n{refused.summary()}"
    ignored = ", ".join(f"{n:,} {name}" for name, n in counts.ignored.items())
    why = f"{ignored} rows are ignored (log.ignore_events, log.event_weights of 0, log.anonymous, recsys forget)"
    if not counts.n_refused:
        return f"all {counts.rows_read:,} rows are left out: {why}; at least one kind of event must count"
    return f"none of the {counts.rows_read:,} rows is accepted: {why}; the others are refused:\n{refused.summary()}"
