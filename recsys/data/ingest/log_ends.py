"""The rows with the oldest and the newest time of a log, so that a message can name the row of a stray clock."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Seconds


@dataclass(frozen=True)
class DatedRow:
    """`time`: UTC seconds. `place`: source and position of the row, as in messages."""

    time: int
    place: str


Ends = tuple[DatedRow, DatedRow]
"""The oldest row and the newest one."""


def ends_of(times: Seconds | None, positions: NDArray[np.int64], origin: str) -> Ends | None:
    """The ends of one batch; None without times or rows. `times`, `positions`: int64 (n,)."""
    if times is None or len(times) == 0:
        return None
    oldest, newest = (
        DatedRow(int(times[at]), f"{origin}:{positions[at]}") for at in (int(times.argmin()), int(times.argmax()))
    )
    return oldest, newest


class LogEnds:
    """Collects the ends of all batches of a log: `oldest` and `newest`, None without times."""

    def __init__(self) -> None:
        self.oldest: DatedRow | None = None
        self.newest: DatedRow | None = None

    def add(self, ends: Ends | None) -> None:
        """Add those of the next batch; of equal times the first row counts."""
        if ends is None:
            return
        if self.oldest is None or ends[0].time < self.oldest.time:
            self.oldest = ends[0]
        if self.newest is None or ends[1].time > self.newest.time:
            self.newest = ends[1]
