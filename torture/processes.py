"""What the processes of a service hold, read from /proc, and how that grows."""

import os
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ALLOWED = {"resident MiB": (8.0, 0.05), "descriptors": (4.0, 0.1), "threads": (4.0, 0.0)}
"""What a process may hold more at the end of the second half of a run than at its beginning, by a straight line: a
number, or a share of what it holds, whichever is more."""


@dataclass(frozen=True)
class Reading:
    """What one process holds at one time."""

    pid: int
    at: float
    """Seconds."""
    held: dict[str, float]
    """By the names of ALLOWED."""


@dataclass(frozen=True)
class Growth:
    """How one number of one process goes over the second half of a run."""

    pid: int
    what: str
    mean: float
    growth: float

    @property
    def is_flat(self) -> bool:
        """Whether it is within what is allowed."""
        least, share = ALLOWED[self.what]
        return self.growth <= max(least, share * self.mean)

    def __str__(self) -> str:
        return f"process {self.pid}: {self.what} {self.mean:.1f}, {self.growth:+.2f} over the second half"


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    children = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (parent := _parent(entry)) is not None:
            children[parent].append(int(entry.name))
    found = [pid]
    for one in found:
        found += children[one]
    return found


def _parent(entry: Path) -> int | None:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return None  # it has ended meanwhile


def read(pid: int) -> Reading:
    """What the process holds now. Raises OSError if there is none."""
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
    )
    held = {
        "resident MiB": float(status["VmRSS"].split()[0]) / 1024,
        "descriptors": float(len(os.listdir(f"/proc/{pid}/fd"))),  # noqa: PTH208
        "threads": float(status["Threads"]),
    }
    return Reading(pid, time.monotonic(), held)


def growths(readings: Sequence[Reading]) -> list[Growth]:
    """By process and number, from the slope of a line through the readings of the second half."""
    start, end = readings[0].at, readings[-1].at
    half = end - (end - start) / 2
    found = []
    for pid in dict.fromkeys(reading.pid for reading in readings):
        own = [reading for reading in readings if reading.pid == pid and reading.at >= half]
        at = np.array([reading.at - half for reading in own])
        for what in ALLOWED:
            values = np.array([reading.held[what] for reading in own])
            slope = float(np.polyfit(at, values, 1)[0]) if len(own) > 2 else 0.0
            found.append(Growth(pid, what, float(values.mean()), slope * (end - half)))
    return found
