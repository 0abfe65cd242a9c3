"""Jobs that are killed, crash, hang, or are refused memory, at a drawn moment of each step of a small night.

Each must end with the exit code and the message that the documentation has, leave nothing half-written, hold no lock,
leave no process, let the old version serve, and the next run must work.
"""

import random
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pipelines.steps.run import run
from pipelines.steps.workspace import STEPS
from recsys.artifacts.lock import exclusive
from recsys.artifacts.registry import Registry
from recsys.data.synthetic import write_synthetic_log
from recsys.errors import RecsysError
from recsys.pipeline_config import load_config
from recsys.progress import silent
from torture.endings import Endings
from torture.faulty_job import FROM_OUTSIDE, NONE, RAISED
from torture.jobs import fresh_copy, job, processes_of
from torture.scratch import scratch

CONFIG = """
workspace = "work"
[log]
paths = ["events/*.csv"]
user = "user_id"
item = "item_id"
timestamp = "timestamp"
event = "event"
value = "quantity"
max_future = "36500d"
[log.event_weights]
view = 1.0
cart = 3.0
purchase = 5.0
[evaluate]
holdout = "28d"
cutoffs = [20]
baselines = ["popular"]
bootstrap = 50
[model]
auto = false
factors = 8
iterations = 3
[publish]
must_beat_popular = false
max_metric_drop = 1.0
[resources]
check_forecast = false
stall = "8s"
memory_gib = 1
"""

_SECONDS = {"prepare": 0.4, "evaluate": 1.0, "train": 0.2, "index": 0.1, "publish": 0.4}
"""Of each step, on a machine with nothing else to do: the fault comes within."""

_JOB, _NEW = "torture.faulty_job", {"model.seed": 2}
_LOCKS = ("work/.lock", "store/.seal.lock", "store/.pointer.lock")
_ADDRESSES = range(300, 1300)
"""MiB of `ulimit -v`: from too little to import numpy to nearly enough."""

_CODES = {"term": {143, 6}, "error": {1}, "addresses": {0, 1, 2, 6}}
_LONGEST = 120.0


@dataclass(frozen=True)
class Case:
    """What goes wrong, in which step, and how many seconds after it began; or MiB of addresses."""

    fault: str
    step: str
    amount: float

    @staticmethod
    def of(number: int) -> "Case":
        """The case of a number."""
        rng = random.Random(number)
        fault = rng.choice((*FROM_OUTSIDE, *RAISED, "addresses", "addresses"))
        step = "prepare" if fault == "addresses" else rng.choice(STEPS)
        return Case(fault, step, rng.choice(_ADDRESSES) if fault == "addresses" else rng.random() * _SECONDS[step])


def campaign(n_cases: int, *, first: int = 0) -> Endings:
    """Try the cases `first` to `first` + `n_cases`; each is made from its number alone."""
    found = Endings()
    with scratch("children") as folder:
        base, place = Path(folder) / "base", Path(folder) / "case"
        _make(place)  # there, because a workspace knows where its log is
        place.rename(base)
        for number in range(first, first + n_cases):
            attempt(Case.of(number), base, place, found, called=f"case {number}")
    return found


def _make(place: Path) -> None:
    """A shop with one version that serves, and a night that is ready for any of its steps."""
    place.mkdir()
    write_synthetic_log(place, n_users=200, n_items=100, n_events=6_000, seed=5, compress=False)
    (place / "pipeline.toml").write_text(CONFIG)
    run(load_config(place / "pipeline.toml"), progress=silent)
    run(load_config(place / "pipeline.toml", overrides=_NEW), steps=STEPS[:-1], progress=silent)


def attempt(
    case: Case, base: Path, place: Path, found: Endings, *, called: str = "case", onwards: bool = True
) -> None:
    """Run one case on a copy of the shop `base`. `onwards`: the next run goes on until it publishes."""
    fresh_copy(base, place)
    (place / "tmp").mkdir()
    before, there = Registry(place / "store").current(), {*_debris(place)}
    code, err = _job(case, place)
    found.counts[case.fault, code] += 1
    found.failures += [
        f"{called}, {case}: exit code {code}: {wrong}"
        for wrong in _wrong(case, place, before, there, code, err, onwards)
    ]


def _job(case: Case, place: Path) -> tuple[int, str]:
    is_addresses = case.fault == "addresses"
    fault = (NONE if is_addresses else case.fault, case.step, str(case.amount))
    size = int(case.amount) << 20
    before = partial(resource.setrlimit, resource.RLIMIT_AS, (size, size)) if is_addresses else None
    tmp = place / "tmp"
    return job(_JOB, fault, place, start=case.step, settings=_NEW, temporary=tmp, longest=_LONGEST, before=before)


def _wrong(
    case: Case, place: Path, before: str | None, there: set[Path], code: int, err: str, onwards: bool
) -> Iterator[str]:
    """What is not as it should be after a job has ended."""
    store, is_done = place / "store", code == 0  # the fault came after the end
    last = (err.strip().splitlines() or [""])[-1]
    if code not in _CODES.get(case.fault, {6}) and not is_done:
        yield f"another one was expected; {err[-500:]}"
    if code not in (0, 2) and not last.startswith("error: the job ended "):
        yield f"no message, but {last!r}"
    later = STEPS[STEPS.index(case.step) :]  # the fault may come late on a busy machine
    if code not in (0, 2) and case.fault != "addresses" and not any(f"during {step}" in last for step in later):
        yield f"the message does not name the step: {last!r}"
    if not is_done and Registry(store).current() != before and "it was published before that" not in last:
        yield f"{Registry(store).current()} serves, {before} did"
    yield from (f"left {path.relative_to(place)}" for path in {*_debris(place)} - there)
    yield from (f"process {process} goes on" for process in processes_of(place))
    try:
        for lock in _LOCKS:
            with exclusive(place / lock, doing="looking"):
                pass
        config = load_config(place / "pipeline.toml", overrides=_NEW)
        done = run(config, steps=STEPS[STEPS.index(case.step) :] if onwards else (case.step,), progress=silent)
        if onwards and Registry(store).load().manifest.version != done.publish.version:
            yield f"the next run published {done.publish.version}, and another one serves"
    except RecsysError as error:
        yield f"the next run: {error}"


def _debris(place: Path) -> Iterator[Path]:
    yield from (place / "tmp").iterdir()
    yield from (path for path in (place / "work").rglob(".*") if path.name != ".lock")
    yield from (path for path in (place / "store").rglob(".*") if path.name not in (".seal.lock", ".pointer.lock"))
