"""Safe nights: sound nights of a made-up shop must be published, and each planted loss refused under its name.

    python benchmarks/nights.py
    python benchmarks/nights.py --seeds 3 --courses growth

Every seed is a shop of its own: customers with a taste, weekends, a growing number of customers or a sale. The whole
job runs night after night on what the log holds by then. Before the last night every loss is planted once, on the
same store; a refused night changes nothing there.
"""

import argparse
import logging
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipelines.steps.run import run
from recsys.errors import GateError
from recsys.pipeline_config import PipelineConfig, parse_config
from recsys.progress import silent

DAY, DAYS, FIRST_NIGHT, NIGHTS = 86_400, 60, 55, 4
N_USERS, N_ITEMS, N_TASTES, PER_DAY = 500, 300, 6, 220
KINDS = np.array(["view", "cart", "purchase"])

COURSES: dict[str, dict[str, float]] = {
    "slow growth, the whole log": {"growth": 0.02},
    "weekends and no growth, the last 28 days": {"weekend": 0.3, "window": 28},
    "a sale that begins before the first night, the last 28 days": {"sale": 3.0, "window": 28},
}
"""By name: growth a day, a weekend day's share of a usual day, the factor of a sale, days that the log holds."""


@dataclass(frozen=True)
class Log:
    """A night's log and catalogue; user, item, second (UTC) and kind of every event."""

    user: NDArray[np.int64]
    item: NDArray[np.int64]
    second: NDArray[np.int64]
    kind: NDArray[np.int64]
    n_catalogue: int = N_ITEMS
    priced: float = 1.0
    padded: bool = False
    broken: float = 0.0

    def where(self, kept: NDArray[np.bool_]) -> "Log":
        """The same with some of its events."""
        columns = {name: getattr(self, name)[kept] for name in ("user", "item", "second", "kind")}
        return replace(self, **columns)


def draw(seed: int, course: dict[str, float]) -> Log:
    """All events of a shop until now. A customer mostly takes items of one taste, and joins on some day."""
    rng = np.random.default_rng(seed)
    growth, weekend = course.get("growth", 0.0), course.get("weekend", 0.6)
    days = np.arange(DAYS)
    size = PER_DAY * (1 + growth) ** (days - DAYS / 2) * np.where(days % 7 > 4, weekend, 1.0)
    size[FIRST_NIGHT - 3 : FIRST_NIGHT + 1] *= course.get("sale", 1.0)
    day = np.repeat(days, rng.poisson(size))
    n = len(day)
    user = (rng.beta(1, 1.5, n) * N_USERS * np.minimum(1, (1 + growth) ** (day - DAYS))).astype(np.int64)
    of_taste = (rng.beta(0.8, 3, n) * (N_ITEMS // N_TASTES)).astype(np.int64)
    taste = np.where(rng.random(n) < 0.75, user % N_TASTES, rng.integers(0, N_TASTES, n))
    today = int(time.time()) // DAY * DAY
    second = today + (day - DAYS) * DAY + rng.integers(0, DAY, n)
    return Log(user, of_taste * N_TASTES + taste, second, rng.choice(3, n, p=[0.8, 0.14, 0.06]))


LOSSES: dict[str, Callable[[Log], Log]] = {
    "users": lambda log: log.where(log.user % 4 == 0),
    "items": lambda log: log.where(log.item % 3 > 0),
    "rows_read": lambda log: log.where(np.arange(len(log.user)) % 3 > 0),
    "rows_accepted": lambda log: replace(log, broken=0.3),
    "gone_users": lambda log: replace(log, user=np.where(log.user % 2, log.user + 100_000, log.user)),
    "events": lambda log: log.where(log.kind < 2),
    "newest_event": lambda log: log.where(log.second < log.second.max() - 4 * DAY),
    "catalogue": lambda log: replace(log, n_catalogue=10),
    "catalogue_share": lambda log: replace(log, padded=True),
    "attributes": lambda log: replace(log, priced=0.5),
}
"""By the gate that must refuse it."""


def write(log: Log, folder: Path) -> None:
    """log.parquet and items.parquet."""
    ids = [f"i{item}" for item in log.item.tolist()]
    users, times = (
        pa.array([f"u{user}" for user in log.user.tolist()]),
        log.second.astype("datetime64[s]").astype(str),
    )
    times[: int(log.broken * len(times))] = "yesterday"
    table = {"user": users, "item": ids, "timestamp": times.tolist(), "event": KINDS[log.kind].tolist()}
    pq.write_table(pa.table(table), folder / "log.parquet")
    at = np.arange(log.n_catalogue)
    catalogue = {
        "item": [f"i{item:05}" if log.padded else f"i{item}" for item in at],
        "title": [f"Title {item}" for item in at],
        "price": [float(item) if item < log.priced * N_ITEMS else None for item in at],
    }
    pq.write_table(pa.table(catalogue), folder / "items.parquet")


def configuration(folder: Path) -> PipelineConfig:
    """A small job in `folder`."""
    tree: dict[str, Any] = {
        "workspace": "work",
        "log": {
            "paths": ["log.parquet"],
            "timestamp": "timestamp",
            "event": "event",
            "event_weights": {"view": 1.0, "cart": 2.0, "purchase": 4.0},
            "max_refused_share": 0.5,
        },
        "items": {"path": "items.parquet", "id": "item", "title": "title", "attributes": ["price"]},
        "evaluate": {"holdout": "7d", "cutoffs": [20], "baselines": ["popular"], "bootstrap": 200},
        "model": {"auto": False, "factors": 12, "iterations": 4},
        "index": {"kind": "exact"},
    }
    return parse_config(tree, base=folder)


@dataclass(frozen=True)
class Outcome:
    """One night: the planted loss (None for a sound night), and the names of the gates that refused it."""

    course: str
    seed: int
    day: int
    loss: str | None
    refused: tuple[str, ...]

    @property
    def right(self) -> bool:
        """Whether a sound night passed, or a loss was refused under its name."""
        return not self.refused if self.loss is None else self.loss in self.refused


def nights_of(course: str, seed: int, folder: Path) -> Iterator[Outcome]:
    """The sound nights of one shop, and before the last one every loss."""
    shop, window = draw(seed, COURSES[course]), COURSES[course].get("window", DAYS)
    config = configuration(folder)
    for day in range(FIRST_NIGHT, FIRST_NIGHT + NIGHTS):
        end = shop.second.max() // DAY * DAY - (DAYS - 2 - day) * DAY
        tonight = shop.where((shop.second < end) & (shop.second >= end - window * DAY))
        planted = LOSSES if day == FIRST_NIGHT + NIGHTS - 1 and seed < PLANTED_SEEDS else {}
        for loss, plant in planted.items():
            yield Outcome(course, seed, day, loss, night(plant(tonight), config, folder))
        yield Outcome(course, seed, day, None, night(tonight, config, folder))


def night(log: Log, config: PipelineConfig, folder: Path) -> tuple[str, ...]:
    """Run the whole job; the names of the gates that refused to publish."""
    write(log, folder)
    try:
        run(config, progress=silent)
    except GateError as error:
        return error.gates
    return ()


PLANTED_SEEDS = 3
"""Losses are planted in the shops of so many seeds; their sound nights are run for all."""


def main() -> None:
    """Print what was refused wrongly or not at all, and the sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=30, help="number of seeds")
    parser.add_argument("--courses", default="", help="only those whose name has this in it")
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    sums: Counter[tuple[str, str, bool]] = Counter()
    for course in (name for name in COURSES if given.courses in name):
        for seed in range(given.first, given.first + given.seeds):
            with tempfile.TemporaryDirectory() as folder:
                for each in nights_of(course, seed, Path(folder)):
                    sums[course, "sound" if each.loss is None else "loss", each.right] += 1
                    if not each.right:
                        print(
                            f"{course}, seed {seed}, day {each.day}, {each.loss or 'sound'}: {each.refused}",
                            flush=True,
                        )
        for kind, right in (("sound", "published"), ("loss", "refused under the right name")):
            n = sum(sums[course, kind, outcome] for outcome in (True, False))
            print(f"{course}: {sums[course, kind, True]} of {n} {kind} nights {right}", flush=True)


if __name__ == "__main__":
    main()
