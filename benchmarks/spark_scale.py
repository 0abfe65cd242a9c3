"""The night on Spark against the size of its log: seconds, time of tasks and shuffled bytes of each step, and a fit.

    python benchmarks/spark_scale.py --events 1,2,5,10,20
    python benchmarks/spark_scale.py --events 2 --set model.factors=128
    python benchmarks/spark_scale.py --engine local --events 1,2,5         # the same steps on one machine
    python benchmarks/spark_scale.py --read runs/spark_scale.json          # fit again what was measured before

Writes a synthetic log of the given millions of events (50 per user, an item per 250 events), and two more of the
first size, with four times as many users and with four times as many items, which tell what a user and an item cost.
Tasks are counted from Spark's event log: run time, and bytes written to shuffles. Processor time is that of all
processes of the job, which load changes little; that of the first step has the start of the session too. Cost per
event, user and item is fitted by non-negative least squares over all runs. A step that fails is printed with its last
line.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scale import CONFIG
from scipy.optimize import nnls

from pipelines.bounded.usage import PROC, memory_of
from recsys.data.synthetic import write_synthetic_log
from torture.processes import family

MILLION, MIB = 10**6, 2**20
STEPS = ("prepare", "evaluate", "train", "index", "publish", "export")
EXPORT = '[[export]]\nto = "lists.parquet"\nk = 20\n'
END_OF_STEP = re.compile(rf"(?:\S+Z )?({'|'.join(STEPS)}) ")
"""A line of standard error that tells what a step did; progress is indented. Both may begin with the time."""

Task = tuple[float, dict[str, Any]]
"""When it began, in seconds of the clock, and its metrics."""

_QUIET = {"spark.eventLog.compress": "false", "spark.eventLog.rolling.enabled": "false"}


@dataclass(frozen=True)
class Size:
    """Of a log."""

    events: int
    users: int
    items: int


@dataclass(frozen=True)
class Measured:
    """One step on one log.

    `seconds`: of the step. `cpu_seconds`: processor time of all processes meanwhile. `task_seconds`: run time of all
    tasks. `shuffled`: bytes written to shuffles. `tasks`: how many. `driver`, `java`, `workers`: peaks of anonymous
    memory of the driver's Python, of Java, and of the largest Python worker, in bytes.
    """

    size: Size
    step: str
    seconds: float
    cpu_seconds: float
    task_seconds: float
    shuffled: int
    tasks: int
    driver: int
    java: int
    workers: int


@dataclass
class Step:
    """A step that runs: when it began and ended, in seconds of the clock, and what its processes used and held."""

    name: str
    began: float
    ended: float = 0.0
    used: float = 0.0
    peaks: tuple[int, int, int] = (0, 0, 0)


class Night:
    """A command that runs steps in one session, watched from outside."""

    def __init__(self, command: Sequence[str], steps: Sequence[str]) -> None:
        """Start it."""
        self.said: list[str] = []
        self.steps = [Step(steps[0], time.time())]
        self._left = list(steps[1:])
        self._seen: dict[int, float] = {}
        self._child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in self._child.stderr or ():
            self.said.append(line)
            if (ended := END_OF_STEP.match(line)) and ended[1] == self.steps[-1].name:
                self.steps[-1].ended = time.time()
                if self._left:
                    self.steps.append(Step(self._left.pop(0), time.time()))

    def until_the_end(self) -> int:
        """Watch it; its exit code."""
        while self._child.poll() is None:
            step, before = self.steps[-1], sum(self._seen.values())
            for process in family(self._child.pid)[1:]:
                self._seen[process] = max(self._seen.get(process, 0.0), _own_seconds(process))
                step.peaks = _higher(step.peaks, _command(process), memory_of(process))
            step.used += sum(self._seen.values()) - before
            time.sleep(0.25)
        return self._child.returncode


def _higher(peaks: tuple[int, int, int], command: str, held: int) -> tuple[int, int, int]:
    """The peaks of driver, Java and the largest worker, with one more look at a process."""
    at = 1 if "java" in command.partition(" ")[0] else 2 if "pyspark.daemon" in command else 0
    driver, java, worker = (max(peak, held) if place == at else peak for place, peak in enumerate(peaks))
    return driver, java, worker


def run_steps(
    config: Path, steps: Sequence[str], size: Size, given: Sequence[str]
) -> tuple[list[Measured], str | None]:
    """What each step took, from `steps[0]` to the end of the job; the last line of the message if one failed."""
    events = config.parent / "spark-events"
    events.mkdir()
    sets = [part for each in given for part in ("--set", each)]
    if any("spark" in each for each in given):
        conf = {"spark.eventLog.enabled": "true", "spark.eventLog.dir": events.as_uri(), **_QUIET}
        sets += [part for key, value in conf.items() for part in ("--set", f'compute.conf.{key}="{value}"')]
    command = [sys.executable, "-P", "-m", "pipelines", "run", str(config), "--from", steps[0], *sets]
    night = Night(command, steps)
    code = night.until_the_end()
    tasks = list(_tasks(events))
    found = [_measured(step, size, tasks) for step in night.steps if step.ended]
    return found, (night.said or [f"exit code {code}"])[-1].strip() if code not in (0, 4) else None


def _measured(step: Step, size: Size, tasks: Sequence[Task]) -> Measured:
    own = [metrics for at, metrics in tasks if step.began <= at < step.ended]
    run_time = sum(metrics["Executor Run Time"] for metrics in own) / 1000
    shuffled = sum(metrics["Shuffle Write Metrics"]["Shuffle Bytes Written"] for metrics in own)
    return Measured(size, step.name, step.ended - step.began, step.used, run_time, shuffled, len(own), *step.peaks)


def _own_seconds(process: int) -> float:
    """Processor time of a process alone; 0 if it has ended."""
    try:
        fields = (PROC / str(process) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _command(process: int) -> str:
    try:
        return (PROC / str(process) / "cmdline").read_text(errors="replace").replace("\0", " ")
    except OSError:
        return ""


def _tasks(folder: Path) -> Iterator[Task]:
    """When every task began that ended well, and its metrics, from Spark's event logs."""
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open(encoding="utf-8") as lines:
                for line in lines:
                    if '"SparkListenerTaskEnd"' in line[:60] and (metrics := json.loads(line).get("Task Metrics")):
                        yield json.loads(line)["Task Info"]["Launch Time"] / 1000, metrics


def measure(size: Size, steps: Sequence[str], given: Sequence[str], folder: Path) -> list[Measured]:
    """Each of the steps on a fresh log; those after one that fails are left out."""
    started = time.perf_counter()
    write_synthetic_log(folder, n_users=size.users, n_items=size.items, n_events=size.events, seed=1, compress=False)
    print(f"\n{size}: written in {time.perf_counter() - started:.0f} s", flush=True)
    (folder / "pipeline.toml").write_text(CONFIG + EXPORT, encoding="utf-8")
    found, problem = run_steps(folder / "pipeline.toml", steps, size, given)
    print("\n".join(map(row, found)), flush=True)
    if problem is not None:
        print(f"{steps[len(found)] if len(found) < len(steps) else 'the end'}: {problem}", flush=True)
    return found


def row(one: Measured) -> str:
    """A row of the table."""
    held = " | ".join(f"{each / MIB:,.0f}" for each in (one.driver, one.java, one.workers))
    return (
        f"| {one.size.events / MILLION:g} M | {one.size.users:,} | {one.size.items:,} | {one.step} |"
        f" {one.seconds:.1f} | {one.cpu_seconds:.1f} | {one.task_seconds:.1f} |"
        f" {one.shuffled / MIB:,.1f} | {one.tasks} | {held} |"
    )


def fitted(found: Sequence[Measured], step: str, what: str) -> tuple[float, float, float, float]:
    """What a step costs at any size, and per event, user and item: none is below zero."""
    runs = [one for one in found if one.step == step]
    sizes = np.array([[1.0, one.size.events, one.size.users, one.size.items] for one in runs])
    scale = sizes.max(axis=0)
    costs, _ = nnls(sizes / scale, np.array([float(getattr(one, what)) for one in runs]))
    fixed, event, user, item = costs / scale
    return float(fixed), float(event), float(user), float(item)


def print_fits(found: Sequence[Measured]) -> None:
    """Costs of every step that was measured at three sizes or more."""
    print("\n| step | | fixed | per million events | per million users | per million items |")
    print("| :-- | :-- | --: | --: | --: | --: |")
    for step in STEPS:
        if sum(one.step == step for one in found) < 3:
            continue
        for what, unit, divisor in (("cpu_seconds", "cpu s", 1.0), ("shuffled", "MiB shuffled", MIB)):
            fixed, *each = (cost / divisor for cost in fitted(found, step, what))
            print(
                f"| {step} | {unit} | {fixed:.1f} | " + " | ".join(f"{cost * MILLION:,.1f}" for cost in each) + " |"
            )


def sizes_of(millions: Sequence[float]) -> list[Size]:
    """Logs of 50 events per user and 250 per item; two more of the first size with more users, and more items."""
    usual = [
        Size(round(m * MILLION), round(m * MILLION / 50), max(1_000, round(m * MILLION / 250))) for m in millions
    ]
    first = usual[0]
    return [
        *usual,
        Size(first.events, 4 * first.users, first.items),
        Size(first.events, first.users, 4 * first.items),
    ]


def main() -> None:
    """Read the arguments, measure, fit and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", default="1,2,5", help="millions (1,2,5)")
    parser.add_argument("--master", default="local[2]", help="of Spark (local[2])")
    parser.add_argument("--memory", default="2g", help="of Java (2g)")
    parser.add_argument(
        "--engine", default="spark", choices=["spark", "local"], help="local: without Spark, to compare"
    )
    parser.add_argument("--set", action="append", default=[], dest="sets", help="KEY=VALUE, as of recsys run")
    parser.add_argument("--write", type=Path, default=Path("runs/spark_scale.json"), help="what was measured")
    parser.add_argument("--read", type=Path, help="fit what was written before")
    args = parser.parse_args()
    if args.read:
        tree = json.loads(args.read.read_text())
        return print_fits([Measured(Size(**one.pop("size")), **one) for one in tree])
    given = [f'compute.engine="{args.engine}"', *args.sets]
    if args.engine == "spark":
        given += [f'compute.master="{args.master}"', f'compute.conf.spark.driver.memory="{args.memory}"']
    print(f"{args.engine}, {args.master}, {os.cpu_count()} cores, Java {args.memory}")
    print(
        "| events | users | items | step | s | cpu s | task s | MiB shuffled | tasks | driver MiB | Java MiB |"
        " worker MiB |"
    )
    print("| --: | --: | --: | :-- | --: | --: | --: | --: | --: | --: | --: | --: |")
    found: list[Measured] = []
    for size in sizes_of([float(each) for each in args.events.split(",")]):
        with tempfile.TemporaryDirectory() as folder:
            found += measure(size, STEPS, given, Path(folder))
        args.write.parent.mkdir(parents=True, exist_ok=True)
        args.write.write_text(json.dumps([asdict(one) for one in found]))
    return print_fits(found)


if __name__ == "__main__":
    main()
