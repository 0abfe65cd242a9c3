"""Cleaning: from events to matrix entries, with every removed row counted by reason."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from recsys.config import PrepareConfig
from recsys.data.interactions import Interactions
from recsys.data.matrix import InteractionMatrix
from recsys.errors import DataError


@dataclass(frozen=True)
class CleaningSummary:
    """What became of the events.

    `events_in`: rows given; `events_kept`: rows that made the entries; `entries`: distinct (user, item) pairs.
    `removed`: rows by reason; events_in = events_kept + all of them, else DataError.
    """

    events_in: int
    events_kept: int
    entries: int
    removed: Mapping[str, int]
    n_users: int
    n_items: int

    def __post_init__(self) -> None:
        if self.events_in != self.events_kept + sum(self.removed.values()):
            raise DataError(
                f"cleaning: {self.events_in} events came, {self.events_kept} were kept and {dict(self.removed)} removed"
            )

    def to_dict(self) -> dict[str, object]:
        """As JSON has it."""
        return asdict(self)


def build_matrix(
    events: Interactions,
    prepare: PrepareConfig,
    *,
    event_weights: Mapping[str, float],
    net: bool = False,
    now: int | None = None,
) -> tuple[InteractionMatrix, CleaningSummary]:
    """Clean, weigh and merge events."""
    raise NotImplementedError
