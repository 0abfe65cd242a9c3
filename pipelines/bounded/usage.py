"""What the processes of a group and their descendants use, as Linux tells it in /proc."""

import os
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


def members(group: int) -> list[int]:
    """The processes of a group, and what descends from them: Spark's Python workers have groups of their own."""
    stats = {int(name): _stat(int(name)) for name in os.listdir(PROC) if name.isdigit()}  # noqa: PTH208
    children: dict[int, list[int]] = {}
    for process, fields in stats.items():
        if fields:
            children.setdefault(int(fields[1]), []).append(process)
    found = [process for process, fields in stats.items() if fields and int(fields[2]) == group]
    known = set(found)
    for process in found:
        new = [child for child in children.get(process, ()) if child not in known]
        known.update(new)
        found += new
    return found


def _stat(process: int) -> list[str]:
    """The fields of /proc/PROCESS/stat from the state on; the name before them may hold anything."""
    try:
        return (PROC / str(process) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
