"""Every system call of publishing, rolling back and pruning that changes the disk, failed and killed in turn.

strace lists the calls of one run, then injects into one call of each further run: an error, or SIGKILL on entry. A
run is a fork of a process that has imported everything, which makes a case some twenty times cheaper than a new one.
After each, the store must serve the version before or the one after, whole, and go on. Without strace nothing is
tried.
"""

import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from recsys.artifacts.registry import Registry
from recsys.errors import ArtifactError
from torture.publisher import ACTIONS
from torture.scratch import scratch
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


class Publisher:
    """The process that forks those that are traced."""

    def __init__(self) -> None:
        one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # a fork has no other threads
        self._process = subprocess.Popen(
            [sys.executable, "-m", "torture.publisher"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **one_thread},
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._say, self._hear = self._process.stdin, self._process.stdout

    def run(self, action: str, store: Path, *options: str) -> int:
        """The exit code of a process that does `action` under strace with `options`; negative: a signal."""
        self._tell(f"{action} {store}")
        process = int(self._hear.readline())
        command = ["strace", "-q", *options, "-p", str(process)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as strace:
            while not _is_traced(process) and strace.poll() is None:
                time.sleep(0.001)
            self._tell("go")
            code = int(self._hear.readline())
            strace.wait(timeout=60)
        return code

    def _tell(self, line: str) -> None:
        self._say.write(line.encode() + b"\n")
        self._say.flush()

    def end(self) -> None:
        """End it."""
        self._say.close()
        self._process.wait(timeout=60)
        self._hear.close()


def _is_traced(process: int) -> bool:
    status = Path(f"/proc/{process}/status").read_text()
    return "TracerPid:\t0" not in status


def campaign(n_faults: int | None, *, seed: int = 1, actions: Sequence[str] = ACTIONS) -> Faults:
    """Try `n_faults` of all faults of `actions`, drawn; None: all."""
    found, publisher = Faults(), Publisher()
    with scratch("syscalls") as folder, closing_at_end(publisher):
        base = Path(folder) / "base"
        for number in (1, 2):
            Registry(base).publish(seal(base, seed=number, approximate=False))
        cases = [
            (action, call, when, fault)
            for action in actions
            for call, when in _calls(publisher, action, base, Path(folder) / "trace")
            for fault in FAULTS
        ]
        if n_faults is not None:
            cases = random.Random(seed).sample(cases, min(n_faults, len(cases)))
        for case in cases:
            _try(publisher, base, Path(folder) / "store", *case, found=found)
    return found


@contextmanager
def closing_at_end(publisher: Publisher) -> Iterator[None]:
    """End the publisher with the block."""
    try:
        yield
    finally:
        publisher.end()


def _calls(publisher: Publisher, action: str, base: Path, trace: Path) -> list[tuple[str, int]]:
    """The calls of the action by name and number."""
    store = trace.with_name("listed")
    shutil.rmtree(store, ignore_errors=True)
    shutil.copytree(base, store)
    publisher.run(action, store, "-o", str(trace), "-e", f"trace={','.join(CALLS)}")
    counts, found = Counter[str](), []
    for line in trace.read_text(errors="replace").splitlines():
        if (matched := _LINE.match(line)) is None:
            continue
        counts[matched[1]] += 1
        if not (matched[1] == "openat" and "O_RDONLY" in matched[2]):
            found.append((matched[1], counts[matched[1]]))
    return found


def _try(
    publisher: Publisher, base: Path, store: Path, action: str, call: str, when: int, fault: str, *, found: Faults
) -> None:
    shutil.rmtree(store, ignore_errors=True)
    shutil.copytree(base, store)
    before = Registry(store).current()
    inject = ("-e", f"trace={call}", "-e", f"inject={call}:{fault}:when={when}")
    code = publisher.run(action, store, "-o", "/dev/null", *inject)
    found.endings[code] += 1
    if wrong := _wrong(store, action, before, code):
        found.failures.append(f"{action}, {call} number {when}, {fault}: exit code {code}: {wrong}")


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
