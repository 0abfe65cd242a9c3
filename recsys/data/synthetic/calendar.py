"""The period of the log: ten months that end on a fixed day, so that a seed always gives the same log."""

from dataclasses import dataclass

import numpy as np

START = int(np.datetime64("2026-01-01", "s").astype(np.int64))
"""First second of the log, UTC."""

END = int(np.datetime64("2026-11-01", "s").astype(np.int64))
"""First second after it."""

N_SEASONS = 4
"""A reader's tastes last about a quarter of the log."""

SEASON = (END - START) // N_SEASONS
"""Length of a season in seconds."""


@dataclass(frozen=True)
class Slice:
    """A stretch of the log within one month: the `rows` events from second `start` up to `stop`."""

    number: int
    month: str
    start: int
    stop: int
    rows: range


def time_slices(n_events: int, *, rows: int) -> list[Slice]:
    """Cut the log into stretches of up to about `rows` events, which are spread evenly over time."""
    edges: list[tuple[str, int]] = []
    for month in np.arange("2026-01", "2026-11", dtype="datetime64[M]"):
        start, stop = (int(at.astype("datetime64[s]").astype(np.int64)) for at in (month, month + 1))
        parts = max(1, -(-n_events * (stop - start) // ((END - START) * rows)))
        edges += [(str(month), start + (stop - start) * part // parts) for part in range(parts)]
    ends = [start for _, start in edges[1:]] + [END]
    return [
        Slice(number, month, start, stop, range(share_until(start, n_events), share_until(stop, n_events)))
        for number, ((month, start), stop) in enumerate(zip(edges, ends, strict=True))
    ]


def share_until(second: int, total: int) -> int:
    """How many of `total` events, spread evenly over the log, are before `second`."""
    return total * (second - START) // (END - START)
