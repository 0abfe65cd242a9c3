"""Nights on Spark in which a process is killed, a part file is damaged, or the scratch folder is full.

Each must end with a version or one clear line, let the old version serve unless it published, leave no process, and
the next run must publish and remove what was left. Executors are processes of their own (`local-cluster`).
"""

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipelines.steps.run import run
from pipelines.steps.workspace import STEPS
from recsys.artifacts.registry import Registry
from recsys.data.synthetic import write_synthetic_log
from recsys.errors import RecsysError
from recsys.pipeline_config import load_config
from recsys.progress import silent
from torture.children import CONFIG
from torture.endings import Endings
from torture.scratch import scratch
from torture.spark_job import WHO

_EXPORT = '\n[[export]]\nto = "lists.parquet"\nk = 5\n'
_MASTER = "local-cluster[2,1,700]"
_SETTINGS = (
    'compute.engine="spark"',
    "resources.memory_gib=8",
    'resources.stall="10m"',
    'compute.conf.spark.driver.memory="700m"',
    'compute.conf.spark.executor.memory="600m"',
    "compute.conf.spark.default.parallelism=2",
    "compute.conf.spark.sql.shuffle.partitions=2",
    "model.seed=2",
)
_SECONDS = 6.0
"""Within which of the beginning of a step somebody is killed."""

_LONGEST, _ENDING_SECONDS = 900.0, 30.0
_FULL_MIB = 1

DAMAGE = ("truncated", "flipped")
STEPS_THERE = ("prepare", "evaluate", "train", "export")
"""Those that Spark does in its own way."""


@dataclass(frozen=True)
class Case:
    """What goes wrong, in which step, and how many seconds after it began."""

    fault: str
    step: str
    seconds: float

    @staticmethod
    def of(number: int) -> "Case":
        """The case of a number: everybody in every step first, then what is damaged, a full disk, and anything."""
        rng = random.Random(number)
        kinds = [(who, step) for step in STEPS_THERE for who in WHO]
        kinds += [(kind, "evaluate") for kind in DAMAGE] + [("full", "prepare"), ("full", "train")]
        fault, step = kinds[number % len(kinds)]
        return Case(fault, step, rng.random() * _SECONDS)


def campaign(n_cases: int, *, first: int = 0, master: str = _MASTER) -> Endings:
    """Try the cases `first` to `first` + `n_cases`; each is made from its number alone."""
    found = Endings()
    with scratch("spark") as folder:
        base, place = Path(folder) / "base", Path(folder) / "case"
        make(place)
        place.rename(base)
        for number in range(first, first + n_cases):
            attempt(Case.of(number), base, place, found, called=f"case {number}", master=master)
    return found


def make(place: Path) -> None:
    """A shop with one version that serves, made without Spark."""
    place.mkdir()
    write_synthetic_log(place, n_users=200, n_items=100, n_events=6_000, seed=5, compress=False)
    (place / "pipeline.toml").write_text(CONFIG + _EXPORT)
    run(load_config(place / "pipeline.toml"), steps=STEPS, progress=silent)


def attempt(case: Case, base: Path, place: Path, found: Endings, *, called: str, master: str = _MASTER) -> None:
    """One night with a fault on a copy of the shop `base`, and one without after it."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(base, place)
    before, start = Registry(place / "store").current(), "prepare"
    if case.fault in DAMAGE:
        _night(place, "none", case, master, start)
        before, start = Registry(place / "store").current(), case.step
        _damage(place / "work" / "prepare", case)
    with _scratch_of(place, case) as given:
        code, err = _night(place, case.fault, case, master, start, *given)
    found.counts[case.fault, code] += 1
    found.failures += [f"{called}, {case}: exit code {code}: {wrong}" for wrong in _wrong(place, before, code, err)]
    code, err = _night(place, "none", case, master, "prepare")
    found.failures += [f"{called}, {case}: {wrong}" for wrong in _wrong_after(place, code, err)]


def _night(place: Path, who: str, case: Case, master: str, start: str, *more: str) -> tuple[int, str]:
    given = [part for each in (*_SETTINGS, f'compute.master="{master}"', *more) for part in ("--set", each)]
    command = [sys.executable, "-m", "torture.spark_job", who, case.step, str(case.seconds)]
    ended = subprocess.run(
        [*command, "run", str(place / "pipeline.toml"), "--from", start, *given],
        env={**os.environ, "SPARK_LOCAL_DIRS": str(place / "local"), "TMPDIR": str(place)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=_LONGEST,
    )
    return ended.returncode, ended.stderr


def _damage(prepared: Path, case: Case) -> None:
    """Damage a part file that prepare has written for the executors."""
    files = sorted(file for file in prepared.rglob("*.parquet") if file.is_file()) or sorted(prepared.rglob("*.npy"))
    file = files[int(case.seconds * 1000) % len(files)]
    content = bytearray(file.read_bytes())
    if case.fault == "flipped":
        content[len(content) // 2] ^= 0xFF
    file.write_bytes(content if case.fault == "flipped" else content[: len(content) // 2])


@contextmanager
def _scratch_of(place: Path, case: Case) -> Iterator[list[str]]:
    """The settings of a scratch folder on a disk with hardly any room, if that is the fault; needs root."""
    if case.fault != "full":
        yield []
        return
    folder = place / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_FULL_MIB}m", "tmpfs", folder], check=False)
    try:
        if mounted.returncode == 0:
            (folder / "ballast").write_bytes(b"x" * ((_FULL_MIB << 20) - (16 << 10)))
        yield [f'compute.scratch="{folder}"']
    finally:
        subprocess.run(["umount", folder], check=False, stderr=subprocess.DEVNULL)


def _wrong(place: Path, before: str | None, code: int, err: str) -> Iterator[str]:
    """What is not as it should be after a night with a fault."""
    if code not in (0, 2, 4, 6):
        yield f"expected 0, 2, 4 or 6: {err[-500:]}"
    if "\tat " in err or "Traceback" in err:
        yield f"a stack trace: {err[-1500:]}"
    last = (err.strip().splitlines() or [""])[-1]
    if code in (2, 6) and not last.startswith("error: "):
        yield f"no message, but {last!r}"
    serves = Registry(place / "store").current()
    if code in (2, 6) and serves != before and "it was published before that" not in last:
        yield f"{serves} serves, {before} did"
    try:
        Registry(place / "store").load()
    except RecsysError as error:
        yield f"a torn version serves: {error}"
    yield from (f"process {process} goes on" for process in _lasting(place))


def _wrong_after(place: Path, code: int, err: str) -> Iterator[str]:
    if code != 0:
        yield f"the next night ended with {code}: {err[-800:]}"
        return
    yield from (f"the next night left {path.relative_to(place)}" for path in _left(place))


def _left(place: Path) -> Iterator[Path]:
    scratch_folder = place / "work" / "spark"
    yield from scratch_folder.iterdir() if scratch_folder.is_dir() else ()
    yield from (place / "work").glob(".*.new")
    named = (place / "lists.parquet").readlink().name
    yield from (path for path in place.glob(".lists.parquet.*") if path.name != named)


def _lasting(place: Path) -> list[int]:
    """Processes of the night that do not end by themselves in a few seconds, as Java does."""
    deadline = time.monotonic() + _ENDING_SECONDS
    while (found := [*_processes(place)]) and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


def _processes(place: Path) -> Iterator[int]:
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if str(place).encode() in path.read_bytes():
                yield int(path.parent.name)
        except OSError:
            continue
