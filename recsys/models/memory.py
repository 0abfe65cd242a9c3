"""How much memory this process can still allocate."""

import os
from pathlib import Path

MEMINFO = Path("/proc/meminfo")
CONTROL_GROUP = Path("/sys/fs/cgroup")


def available_bytes(*, meminfo: Path = MEMINFO, control_group: Path = CONTROL_GROUP) -> float:
    """What can be allocated without swapping, in bytes, within the limit of the control group (a container's).

    If the system does not say (macOS), all the memory of the machine. The two paths are those of Linux.
    """
    return min(_of_machine(meminfo), _of_group(control_group))


def _of_machine(meminfo: Path) -> int:
    try:
        fields = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        return int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _of_group(group: Path) -> float:
    """Of the control group, version 2. Its cached files count as free, because the system drops them when needed."""
    try:
        limit = int((group / "memory.max").read_text())
        used = int((group / "memory.current").read_text())
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return limit - used + int(stat["inactive_file"])
    except (OSError, KeyError, ValueError):  # no such group, or "max": no limit
        return float("inf")
