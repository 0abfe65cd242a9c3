"""The nightly job against the number of events: time and memory of each step, and what `recsys doctor` forecast.

    python benchmarks/scale.py --events 1,2,5
    python benchmarks/scale.py --events 5 --items 1000000 --set model.auto=true

Writes a synthetic log of the given millions of events (50 per user, one item per 250 events or --items), asks
`recsys doctor CONFIG --json`, runs `recsys run CONFIG` as another process, and starts the service on the result.
A step's memory is the kernel's high-water mark of that process (VmHWM), which is reset when a step ends; its CPU time
counts all threads. Prints a Markdown table and draws --plot. Linux only, because it reads /proc.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.figure
import matplotlib.ticker

from recsys.data.synthetic import write_synthetic_log

MILLION, MIB, GIB = 10**6, 2**20, 2**30
STEPS = ("prepare", "evaluate", "train", "index", "publish")
END_OF_STEP = re.compile(rf"(?:\S+Z )?({'|'.join(STEPS)}) ")
"""A line of standard error that tells what a step did; progress is indented. Both may begin with the time."""
CONFIG = """\
[log]
paths = ["events/*.csv"]
user = "user_id"
item = "item_id"
timestamp = "timestamp"
event = "event"
value = "quantity"
[log.event_weights]
view = 1.0
cart = 3.0
purchase = 5.0
[items]
path = "items.csv"
id = "item_id"
title = "title"
[evaluate]
max_users = 20000
baselines = ["popular"]
[model]
auto = false
factors = 64
iterations = 2
[publish]
must_beat_popular = false
"""


@dataclass(frozen=True)
class Measured:
    """A step (or the service): wall-clock and CPU seconds, peak of resident memory in bytes; what was forecast."""

    seconds: float
    cpu_seconds: float
    peak: int
    forecast: int
    forecast_seconds: float | None = None

    @property
    def error(self) -> float:
        """Error of the memory forecast, as a share of what was measured."""
        return self.forecast / self.peak - 1


@dataclass(frozen=True)
class Run:
    """One size: what was measured, by step and "service", and how long the doctor took."""

    events: int
    steps: dict[str, Measured]
    doctor_seconds: float

    @property
    def job(self) -> Measured:
        """All steps as one: times add up, the highest peak counts, each side's own."""
        steps = [self.steps[step] for step in STEPS]
        return Measured(
            sum(step.seconds for step in steps),
            sum(step.cpu_seconds for step in steps),
            max(step.peak for step in steps),
            max(step.forecast for step in steps),
            sum(step.forecast_seconds or 0.0 for step in steps),
        )


class Watched:
    """A child process, seen through /proc."""

    def __init__(self, arguments: Sequence[str]) -> None:
        command = [sys.executable, "-P", "-m", *arguments]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        self._folder = Path(f"/proc/{self.process.pid}")

    def peak(self) -> int:
        """Peak resident memory since the last `reset`, in bytes."""
        status = dict(line.split(":", 1) for line in (self._folder / "status").read_text().splitlines())
        return int(status["VmHWM"].split()[0]) * 1024

    def cpu_seconds(self) -> float:
        """User and system time so far, in seconds."""
        fields = (self._folder / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def reset(self) -> None:
        """Reset the high-water mark."""
        (self._folder / "clear_refs").write_text("5")


def run_job(config: Path, sets: Sequence[str]) -> dict[str, tuple[float, float, int]]:
    """Wall-clock seconds, CPU seconds and peak of each step of one `recsys run`, from the lines it prints."""
    child = Watched(["pipelines", "run", str(config), "--json", *sets])
    found: dict[str, tuple[float, float, int]] = {}
    started, used, said = time.perf_counter(), 0.0, ""
    for line in child.process.stderr or ():
        said += line
        if (ended := END_OF_STEP.match(line)) is not None:
            step = ended[1]
            print(line, end="", file=sys.stderr, flush=True)
            now, cpu = time.perf_counter(), child.cpu_seconds()
            found[step] = (now - started, cpu - used, child.peak())
            child.reset()
            started, used = now, cpu
    if child.process.wait():
        raise SystemExit(f"recsys run failed:\n{said}")
    return found


def run_service(store: Path) -> tuple[float, float, int]:
    """Seconds until the service is ready, and its peak memory while loading."""
    started = time.perf_counter()
    child = Watched(["api", "--store", str(store), "--port", "0"])
    for line in child.process.stderr or ():
        if "startup complete" in line:
            break
    result = (time.perf_counter() - started, child.cpu_seconds(), child.peak())
    child.process.terminate()
    child.process.communicate()
    return result


def forecast(config: Path, sets: Sequence[str]) -> tuple[dict[str, Any], float]:
    """What `recsys doctor` says of the job, and how long it took to say it."""
    started = time.perf_counter()
    command = [sys.executable, "-P", "-m", "pipelines", "doctor", str(config), "--json", *sets]
    tree: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return tree, time.perf_counter() - started


def measure(events: int, folder: Path, *, n_items: int, settings: Sequence[str]) -> Run:
    """Make a log of `events`, forecast, run and serve it. `settings`: KEY=VALUE, beside CONFIG."""
    config, sets = folder / "pipeline.toml", [f"--set={each}" for each in settings]
    n_users = max(100, events // 50)
    write_synthetic_log(folder, n_users=n_users, n_items=n_items, n_events=events, seed=1, compress=False)
    config.write_text(CONFIG, encoding="utf-8")
    said, doctor_seconds = forecast(config, sets)
    memory = said["memory"]
    expected = {tree["step"]: tree for tree in (*memory["steps"], memory["service"])}
    took = {**run_job(config, sets), "service": run_service(folder / "store")}
    steps = {
        step: Measured(*figures, expected[step]["peak"], expected[step].get("seconds"))
        for step, figures in took.items()
    }
    return Run(events, steps, doctor_seconds)


def table(runs: Sequence[Run]) -> str:
    """Markdown: one row per step, for the job, and for the service of every size."""
    lines = [
        "| events | step | seconds | forecast | CPU seconds | peak MiB | forecast MiB | error |",
        "| --: | :-- | --: | --: | --: | --: | --: | --: |",
    ]
    for run in runs:
        rows = {**{step: run.steps[step] for step in STEPS}, "**job**": run.job, "service": run.steps["service"]}
        lines += [_row(run.events, step, measured) for step, measured in rows.items()]
    worst = max(abs(run.job.error) for run in runs)
    doctor = ", ".join(f"{run.doctor_seconds:.0f} s of {run.job.seconds:.0f} s" for run in runs)
    return "\n".join(
        [*lines, "", f"Largest error of a job's peak: {worst:.1%} (wanted: 15 %). The doctor took {doctor}."]
    )


def _row(events: int, step: str, measured: Measured) -> str:
    expected = "" if measured.forecast_seconds is None else f"{measured.forecast_seconds:.1f}"
    times = f"{measured.seconds:.1f} | {expected} | {measured.cpu_seconds:.1f}"
    sizes = f"{measured.peak / MIB:,.0f} | {measured.forecast / MIB:,.0f} | {measured.error:+.1%}"
    return f"| {events / MILLION:g} M | {step} | {times} | {sizes} |"


def plot(runs: Sequence[Run], path: Path) -> None:
    """Plot memory and time of the whole job against events, with the forecasts."""
    figure = matplotlib.figure.Figure(figsize=(9, 3.6), layout="constrained")
    memory, duration = figure.subplots(1, 2)
    events = [run.events / MILLION for run in runs]
    jobs = [run.job for run in runs]
    memory.plot(events, [job.peak / GIB for job in jobs], "o-", label="measured")
    memory.plot(events, [job.forecast / GIB for job in jobs], "x--", label="forecast")
    memory.plot(events, [run.steps["service"].peak / GIB for run in runs], "s-", label="service, measured")
    memory.plot(events, [run.steps["service"].forecast / GIB for run in runs], "+--", label="service, forecast")
    memory.set_ylabel("peak resident memory, GiB")
    duration.plot(events, [job.seconds / 60 for job in jobs], "o-", label="measured")
    duration.plot(events, [(job.forecast_seconds or 0.0) / 60 for job in jobs], "x--", label="forecast")
    duration.set_ylabel("whole job, minutes")
    for axes in (memory, duration):
        axes.set_xlabel("million events")
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Read the arguments, measure every size, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", default="1,2,5,10,20,50", help="millions, separated by commas")
    parser.add_argument("--items", type=int, help="of every log; default: one per 250 events, at least 200")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the job")
    parser.add_argument("--plot", type=Path, default=Path(__file__).with_suffix(".svg"))
    parser.add_argument(
        "--folder", type=Path, help="where the logs are written and removed; default: a temporary one"
    )
    options = parser.parse_args()
    runs = []
    for millions in map(float, options.events.split(",")):
        folder = Path(tempfile.mkdtemp(dir=options.folder))
        events = round(millions * MILLION)
        n_items = options.items or max(200, events // 250)
        try:
            runs.append(measure(events, folder, n_items=n_items, settings=options.set))
        finally:
            shutil.rmtree(folder)
        print(f"{millions:g} M events: {runs[-1].job}", file=sys.stderr, flush=True)
    print(table(runs))
    plot(runs, options.plot)


if __name__ == "__main__":
    main()
