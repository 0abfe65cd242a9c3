"""What the processes of a group use, as Linux tells it in /proc."""

import os
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
_TICK = os.sysconf("SC_CLK_TCK")


def memory_of(process: int) -> int:
    """Bytes that the process holds, without pages of files, which the system can take back. 0 if it has ended."""
    try:
        fields = dict(line.split(":", 1) for line in (PROC / str(process) / "status").read_text().splitlines())
        return sum(int(fields[name].split()[0]) for name in ("RssAnon", "RssShmem")) * 1024
    except (OSError, KeyError, ValueError):
        return 0


def seconds_of(process: int) -> float:
    """Processor time that the process and its ended children have used. 0 if it has ended."""
    fields = _stat(process)
    return sum(map(int, fields[11:15])) / _TICK if fields else 0.0


def members(group: int) -> Iterator[int]:
    """The processes of a group."""
    for name in os.listdir(PROC):  # noqa: PTH208
        if name.isdigit() and (fields := _stat(int(name))) and int(fields[2]) == group:
            yield int(name)


def _stat(process: int) -> list[str]:
    """The fields of /proc/PROCESS/stat from the state on; the name before them may hold anything."""
    try:
        return (PROC / str(process) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
