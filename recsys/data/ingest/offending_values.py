"""OffendingValues: what refused rows held where they went wrong, for messages; never an id of a user or an item."""

from collections.abc import Mapping

from recsys.data.ingest.raw_rows import EVENT, TIMESTAMP, VALUE
from recsys.data.ingest.refusals import REASONS, Reason, Refusals
from recsys.data.ingest.timestamps import unit_that_fits

_LONGEST = 60
_COLUMNS = {
    Reason.BAD_TIME: TIMESTAMP,
    Reason.TIME_OUT_OF_RANGE: TIMESTAMP,
    Reason.IN_THE_FUTURE: TIMESTAMP,
    Reason.BAD_VALUE: VALUE,
    Reason.UNKNOWN_EVENT: EVENT,
}
_MOST = {Reason.UNKNOWN_EVENT: 10}
"""How many distinct values are kept; one of the other reasons."""


class OffendingValues:
    """The first distinct values of each reason: ten kinds of event that are unknown, one of the rest."""

    def __init__(self) -> None:
        self._found: dict[Reason, list[str]] = {}

    def add(self, refused: Refusals) -> None:
        """Take the rows that `refused` shows."""
        for number, row in zip(refused.faults.tolist(), refused.rows, strict=False):
            reason = REASONS[number]
            if reason in _COLUMNS and isinstance(row, Mapping):
                self._keep(reason, row[_COLUMNS[reason]])

    def _keep(self, reason: Reason, value: str | None) -> None:
        found = self._found.setdefault(reason, [])
        if value is not None and len(found) < _MOST.get(reason, 1) and value not in found:
            found.append(value)

    def told(self, reason: Reason) -> str:
        """ "found 'soon'", and the unit that would fit a time; empty where nothing is known."""
        found = self._found.get(reason)
        if not found:
            return ""
        shown = "found " + ", ".join(repr(value[:_LONGEST]) for value in found)
        unit = unit_that_fits(found[0]) if reason in (Reason.BAD_TIME, Reason.TIME_OUT_OF_RANGE) else None
        fits = f', a time if log.timestamp_unit = "{unit}"' if unit is not None else ""
        return shown + fits
