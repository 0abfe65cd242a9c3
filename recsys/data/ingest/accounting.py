"""RowCounts: what became of every row that was read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from recsys.errors import DataError


@dataclass(frozen=True)
class RowCounts:
    """rows_read = accepted + refused (by reason) + merged; nothing is dropped silently.

    `refused`: rows by reason (`recsys.data.ingest.refusals.Reason`), zeros left out. `merged`: rows that repeat an
    accepted one and were merged into it. Raises DataError where the sum does not hold.
    """

    rows_read: int
    accepted: int
    refused: Mapping[str, int] = field(default_factory=dict)
    merged: int = 0

    def __post_init__(self) -> None:
        refused = {str(reason): int(count) for reason, count in self.refused.items() if count}
        object.__setattr__(self, "refused", MappingProxyType(refused))
        if min(self.rows_read, self.accepted, self.merged, *refused.values()) < 0:
            raise DataError(f"row counts: {self.to_dict()} holds a negative count")
        if self.rows_read != self.accepted + self.n_refused + self.merged:
            raise DataError(
                f"row counts: {self.rows_read} rows read, but {self.accepted} accepted + {self.n_refused} refused "
                f"+ {self.merged} merged = {self.accepted + self.n_refused + self.merged}"
            )

    @property
    def n_refused(self) -> int:
        """Rows refused, for whatever reason."""
        return sum(self.refused.values())

    @property
    def refused_share(self) -> float:
        """n_refused / rows_read; 0 where nothing was read."""
        return self.n_refused / self.rows_read if self.rows_read else 0.0

    def to_dict(self) -> dict[str, Any]:
        """The counts as JSON holds them; `from_dict` reads them back."""
        return {
            "rows_read": self.rows_read,
            "accepted": self.accepted,
            "refused": dict(self.refused),
            "merged": self.merged,
        }

    @staticmethod
    def from_dict(counts: Mapping[str, Any]) -> "RowCounts":
        """The counts that `to_dict` gave. Raises DataError where keys are missing or unknown."""
        try:
            return RowCounts(**counts)
        except TypeError as error:
            raise DataError(
                f"row counts: got {sorted(counts)}, expected rows_read, accepted, refused and merged"
            ) from error
