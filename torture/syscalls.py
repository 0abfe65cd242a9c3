"""Every system call of publishing, rolling back and pruning that changes the disk, failed and killed in turn.

strace lists the calls of one run, then injects into one call of each further run: an error, or SIGKILL on entry.
After each, the store must serve the version before or the one after, whole, and go on. Without strace nothing is
tried.
"""

import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from recsys.artifacts.registry import Registry
from recsys.errors import ArtifactError
from torture.publisher import ACTIONS
from torture.versions import seal

CALLS = ("openat", "write", "fsync", "rename", "mkdir", "unlink", "unlinkat", "rmdir", "chmod", "ftruncate", "flock")
FAULTS = ("error=ENOSPC", "error=EIO", "signal=KILL")

_LINE = re.compile(r"^(?:\d+ +)?(\w+)\((.*)$")


@dataclass
class Faults:
    """How many calls were failed or killed, how the runs ended, and what was wrong after some of them."""

    endings: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    @property
    def n_tried(self) -> int:
        """Runs with a fault."""
        return self.endings.total()


def available() -> bool:
    """Whether strace is installed, and may trace."""
    strace = shutil.which("strace")
    return strace is not None and subprocess.run([strace, "true"], capture_output=True, check=False).returncode == 0


def campaign(n_faults: int | None, *, seed: int = 1, actions: Sequence[str] = ACTIONS) -> Faults:
    """Try `n_faults` of all faults of `actions`, drawn; None: all."""
    found = Faults()
    with tempfile.TemporaryDirectory(prefix="recsys-syscalls-") as folder:
        base = Path(folder) / "base"
        for number in (1, 2):
            Registry(base).publish(seal(base, seed=number, approximate=False))
        cases = [
            (action, call, when, fault)
            for action in actions
            for call, when in _calls(action, base, Path(folder) / "trace")
            for fault in FAULTS
        ]
        if n_faults is not None:
            cases = random.Random(seed).sample(cases, min(n_faults, len(cases)))
        for case in cases:
            _try(base, Path(folder) / "store", *case, found=found)
    return found


def _calls(action: str, base: Path, trace: Path) -> list[tuple[str, int]]:
    """The calls of the action by name and number; numbers count from the beginning of the process."""
    store = trace.with_name("listed")
    shutil.rmtree(store, ignore_errors=True)
    shutil.copytree(base, store)
    _run(action, store, "-o", str(trace), "-e", f"trace={','.join(CALLS)}")
    counts, found, has_begun = Counter[str](), [], False
    for line in trace.read_text(errors="replace").splitlines():
        if (matched := _LINE.match(line)) is None:
            continue
        counts[matched[1]] += 1
        if has_begun and not (matched[1] == "openat" and "O_RDONLY" in matched[2]):
            found.append((matched[1], counts[matched[1]]))
        has_begun = has_begun or "/BEGIN" in matched[2]
    return found


def _try(base: Path, store: Path, action: str, call: str, when: int, fault: str, *, found: Faults) -> None:
    shutil.rmtree(store, ignore_errors=True)
    shutil.copytree(base, store)
    before = Registry(store).current()
    code = _run(action, store, "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:{fault}:when={when}")
    found.endings[code] += 1
    if wrong := _wrong(store, action, before, code):
        found.failures.append(f"{action}, {call} number {when}, {fault}: exit code {code}: {wrong}")


def _run(action: str, store: Path, *options: str) -> int:
    command = ["strace", *options, sys.executable, "-m", "torture.publisher", action, str(store)]
    return subprocess.run(command, capture_output=True, check=False, timeout=120).returncode


def _wrong(store: Path, action: str, before: str | None, code: int) -> str | None:
    registry = Registry(store)
    try:
        serving = registry.load().manifest.version
        if code == 0 and action != "prune" and serving == before:
            return "it said that it was done, and the version before serves"
        if code == 3 and serving != before:
            return "it said that it was refused, and another version serves"
        registry.history()
        registry.publish(seal(store, seed=7, approximate=False))
        return None if registry.rollback() == serving else "a rollback goes elsewhere"
    except ArtifactError as error:
        return str(error)
