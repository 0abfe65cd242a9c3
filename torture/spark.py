"""Nights on Spark in which processes are killed, a part file is damaged, or a disk is full.

Each must end with a version or one clear line, let the old version serve unless it published, leave no process, and
the next run must publish and remove what was left. Executors are processes of their own (`local-cluster`). The runs
after a fault share one session, because to start Spark takes longer than such a night.
"""

import os
import random
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.steps.run import run
from pipelines.steps.workspace import STEPS
from recsys.artifacts.registry import Registry
from recsys.config import ComputeConfig
from recsys.data.synthetic import write_synthetic_log
from recsys.pipeline_config import load_config
from recsys.progress import silent
from recsys.spark.session import session_of
from torture.children import CONFIG
from torture.endings import Endings
from torture.jobs import fresh_copy
from torture.scratch import scratch
from torture.spark_job import WHO
from torture.spark_nights import (
    CONF,
    QUICK_JAVA,
    damage,
    killed,
    left,
    next_night,
    night,
    other_vectors,
    settings_of,
    small_disk,
    unfinished,
    wrong,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_EXPORT = '\n[[export]]\nto = "out/lists.parquet"\nk = 5\n'
_OF_FIT = "iterations = 3\nearly_stopping = false"

DAMAGE = ("truncated", "flipped")
STEPS_THERE = ("prepare", "evaluate", "train", "export")
"""Those that Spark does in its own way."""

_KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    *(("driver", (step,)) for step in STEPS_THERE),
    *(("java", (step,)) for step in STEPS_THERE),
    ("executor", STEPS_THERE),
    ("worker", STEPS_THERE),
    ("parent", ("evaluate",)),
    ("iteration", ("train",)),
    *((kind, ("evaluate",)) for kind in DAMAGE),
    ("truncated", ("train",)),
    *(("full", (step,)) for step in STEPS_THERE),
    ("full for Spark", ("evaluate",)),
)

_ROOM = {"prepare": 150_000, "evaluate": 120_000, "train": 60_000, "export": 4_000, "full for Spark": 40_000}
"""Bytes that are free at most when a disk is to be full: less than what the step writes."""


@dataclass(frozen=True)
class Case:
    """What goes wrong, in which steps, and at which share of the stages of Spark in each of them."""

    fault: str
    steps: tuple[str, ...]
    shares: tuple[float, ...]

    @staticmethod
    def of(number: int) -> "Case":
        """The case of a number: the twenty kinds in turn, at moments that are drawn."""
        rng = random.Random(number)
        fault, steps = _KINDS[number % len(_KINDS)]
        return Case(fault, steps, tuple(rng.random() for _ in steps))

    @property
    def master(self) -> str:
        """Two executors if one of them is to go, one if others are killed, none of its own if nobody is."""
        if self.fault in ("executor", "worker"):
            return "local-cluster[2,1,700]"
        return "local-cluster[1,1,700]" if self.fault in WHO else "local[2,4]"

    @property
    def start(self) -> str:
        """The step that the night begins with."""
        return "index" if self.steps[0] == "export" else self.steps[0]

    @property
    def start_after(self) -> str:
        """The step that the next one begins with: the one that was cut short, or the first if that cannot work."""
        return "prepare" if self.fault in DAMAGE else self.start


@dataclass(frozen=True)
class Shop:
    """A shop with a version that serves, and the outputs of steps on Spark. `stages`: of Spark, by step."""

    folder: Path
    stages: dict[str, int]

    def moments(self, case: Case) -> dict[str, int]:
        """How many stages begin in each step of the case before it happens."""
        drawn = zip(case.steps, case.shares, strict=True)
        return {step: int(share * 0.9 * self.stages[step]) for step, share in drawn}


def campaign(n_cases: int, *, first: int = 0) -> Endings:
    """Try the cases `first` to `first` + `n_cases`; each is made from its number alone."""
    found = Endings()
    with scratch("spark") as folder:
        os.environ.update(QUICK_JAVA)
        conf = {**CONF, "spark.local.dir": f"{folder}/own"}
        with session_of(ComputeConfig(engine="spark", master="local[2,4]", conf=conf)) as session:
            place = Path(folder) / "case"
            shop = make(place, Path(folder) / "base", session)
            for number in range(first, first + n_cases):
                attempt(Case.of(number), shop, place, found, called=f"case {number}")
    return found


def make(place: Path, kept: Path, session: "SparkSession") -> Shop:
    """Make the shop at `place`, because settings name folders, and keep it in `kept`."""
    place.mkdir()
    write_synthetic_log(place, n_users=200, n_items=100, n_events=6_000, seed=5, compress=False)
    (place / "out").mkdir()
    (place / "pipeline.toml").write_text(CONFIG.replace("iterations = 3", _OF_FIT) + _EXPORT)
    run(load_config(place / "pipeline.toml"), steps=STEPS, progress=silent)
    ends = {"": _stages_so_far(session)}
    run(
        settings_of(place),
        steps=STEPS[:-1],
        progress=silent,
        announce=lambda summary, seconds: ends.update({summary.step: _stages_so_far(session)}),
    )
    place.rename(kept)
    names = [*ends]
    stages = {name: ends[name] - ends[before] for before, name in pairwise(names)}
    return Shop(kept, {**stages, "export": 1})


def _stages_so_far(session: "SparkSession") -> int:
    tracker = session.sparkContext.statusTracker()
    jobs = (tracker.getJobInfo(job) for job in tracker.getJobIdsForGroup())
    return 1 + max((max(job.stageIds, default=-1) for job in jobs if job is not None), default=-1)


def attempt(case: Case, shop: Shop, place: Path, found: Endings, *, called: str) -> None:
    """One night with a fault on a copy of the shop, and one without after it."""
    fresh_copy(shop.folder, place)
    before, more = Registry(place / "store").current(), {"compute.master": f'"{case.master}"'}
    with ExitStack() as stack:
        if case.fault in DAMAGE:
            damage(place / "work" / "prepare", case.fault, case.shares[0])
        if case.fault.startswith("full"):
            more |= _full(case, place, stack)
        code, err = night(place, case.fault, shop.moments(case), start=case.start, **more)
        found.counts[case.fault, code] += 1
        problems = [*wrong(place, case.fault, before, code, err), *_not_killed(case, place)]
        problems += unfinished(place) if code == 0 else ()
    problems += _after(case, shop, place)
    found.failures += [f"{called}, {case}: exit code {code}: {problem}" for problem in problems]


def _full(case: Case, place: Path, stack: ExitStack) -> dict[str, str]:
    """Let a disk have little room while the stack is open; the settings that make the night use it."""
    of_spark = case.fault == "full for Spark"
    room = int((0.1 + 0.9 * case.shares[0]) * _ROOM[case.fault if of_spark else case.steps[0]])
    folder = place / ("out" if case.steps == ("export",) else "small")
    stack.enter_context(small_disk(folder, room))
    if of_spark:
        return {"compute.conf.spark.local.dir": f'"{folder}"'}
    return {} if case.steps == ("export",) else {"compute.scratch": f'"{folder}"'}


def _not_killed(case: Case, place: Path) -> Iterator[str]:
    if case.fault in WHO and len(killed(place)) != len(case.steps):
        yield f"the campaign killed {killed(place)}"


def _after(case: Case, shop: Shop, place: Path) -> Iterator[str]:
    """What is wrong with the next night."""
    iterations, resumed = list[int](), case.fault == "iteration"

    def progress(stage: str, done: float, total: float | None) -> None:
        if stage == "als":
            iterations.append(int(done))

    if (problem := next_night(place, start=case.start_after, progress=progress)) is not None:
        yield problem
        return
    yield from left(place)
    if resumed:
        yield from other_vectors(place, shop.folder)
        if iterations and min(iterations) <= 2:
            yield f"iterations {iterations} were done, though two were stored"
