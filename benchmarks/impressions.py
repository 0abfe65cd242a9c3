"""What keeping lists as impressions, and an experiment, cost a list.

    python benchmarks/impressions.py --seconds 5 --rounds 3

One worker on one core, the load on the other, 16 connections, lists of 10 items for users drawn at random. Four
services in turns: plain; with an event store but no impressions; with every list kept; the same while an experiment
of two versions runs. Processor time per list is told beside the rate: other work on the machine changes it less.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import indexes
import load
import numpy as np
from served import Service, service
from served_store import seal, user_id

from recsys.artifacts.experiments import Experiments
from recsys.artifacts.registry import Registry
from recsys.experiments.plan import Goal

N_USERS, N_ITEMS, FACTORS = 20_000, 20_000, 64
GOAL = Goal(effect=0.1, baseline=0.1, needed_once=1, needed=1, tightest_at=1e-4)
CASES = ("plain", "event store, no impressions", "every list kept", "every list kept, experiment")


@contextmanager
def _served(case: str, store: Path, folder: Path) -> Iterator[Service]:
    experiments = Experiments(Registry(store))
    if case.endswith("experiment"):
        registry = Registry(store)
        (older,) = {*registry.names()} - {registry.current()}
        experiments.start(control="current", treatment=older, share=0.5, goal=GOAL)
    options = [] if case == "plain" else ["--events", str(folder / "events.db")]
    options += ["--impressions", "0"] if case.endswith("no impressions") else []
    with service(store, "--log-level", "info", *options) as running:
        running.wait_for("serving version")
        yield running
    if case.endswith("experiment"):
        experiments.stop()


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    found: dict[str, list[tuple[float, float, float]]] = {case: [] for case in CASES}
    with TemporaryDirectory() as folder, load.client(1) as client:
        store = Path(folder) / "store"
        for factors in (FACTORS // 2, FACTORS):
            items, sample = indexes.synthetic(N_ITEMS, factors)
            Registry(store).publish(seal(store, N_USERS, items=items, sample=sample))
        for _ in range(arguments.rounds):
            for case in CASES:
                paths = [f"/v1/users/{user_id(at)}/recommendations" for at in rng.integers(0, N_USERS, 200_000)]
                with _served(case, store, Path(folder)) as running:
                    client.submit(load.saturate, running.port, paths[:2_000], 1.0, n_connections=16).result()
                    before = running.cpu_seconds()
                    spell = client.submit(
                        load.saturate, running.port, paths, arguments.seconds, n_connections=16
                    ).result()
                    spent = running.cpu_seconds() - before
                if spell.n_failed:
                    raise SystemExit(f"{case}: {spell.n_failed} requests failed")
                found[case].append((spell.rate, 1e6 * spent / spell.n_requests, spell.percentile(99)))
    _print(found)


def _print(found: dict[str, list[tuple[float, float, float]]]) -> None:
    print("| service | lists/s | of plain | processor time per list, us | of plain | p99, ms |")
    print("| :-- | --: | --: | --: | --: | --: |")
    plain = [median(column) for column in zip(*found["plain"], strict=True)]
    for case, rounds in found.items():
        rate, cost, slow = (median(column) for column in zip(*rounds, strict=True))
        print(f"| {case} | {rate:,.0f} | {rate / plain[0]:.2f} | {cost:.0f} | {cost / plain[1]:.2f} | {slow:.1f} |")


if __name__ == "__main__":
    main()
