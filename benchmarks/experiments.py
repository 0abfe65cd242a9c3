"""How often experiments without a difference find one, and how soon planted ones are found.

    python benchmarks/experiments.py --experiments 1000

Each experiment is read at the end of each of 28 days, as an impatient shop would: the first day on which an interval
excludes zero ends it. Users come back (some often), click at rates of their own, and are split by the real hash with
a salt per experiment. With `always valid` the stated rate of false alarms, 5 %, is for all 28 looks together; `fixed`
is the usual interval, which promises it for one look.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from recsys.experiments.simulation import Rate, Readers, daily_totals
from recsys.experiments.size import needed_size
from recsys.experiments.verdict import Reading, read

ALPHA = 0.05
EFFECTS = (0.1, 0.2, 0.3, 0.5)
PLANNED = 0.25
"""The relative difference for which experiments without one are planned: the users suffice for it about once."""

CASES: tuple[tuple[str, Rate, Readers], ...] = (
    ("clicks per list", "click_through", Readers()),
    ("clicks per list, rare", "click_through", Readers(click_rate=0.01)),
    ("clicks per list, tenth in treatment", "click_through", Readers(share=0.1)),
    ("users with a click", "conversion", Readers(click_rate=0.02)),
)


@dataclass(frozen=True)
class Found:
    """Of one experiment: the first day (from 1) on which each interval excluded zero, None if never, and the rest."""

    fixed: int | None
    always_valid: int | None
    last_fixed: bool
    sample_ratio: bool
    right_sign: bool
    needed: int


def run(rate: Rate, readers: Readers, *, planned: float, seed: int) -> Found:
    """One experiment, planned for a relative difference `planned`."""
    rng = np.random.default_rng(seed)
    pilot = list(daily_totals(replace(readers, days=1, effect=0.0), rate=rate, salt=f"pilot-{seed}", rng=rng))[-1]
    both = pilot[0] + pilot[1]
    size = needed_size(both.unit_variance(), effect=planned * both.rate, share=readers.share, alpha=ALPHA)
    readings = [
        read(*day, share=readers.share, tightest_at=size.tightest_at, needed=size.always_valid, alpha=ALPHA)
        for day in daily_totals(readers, rate=rate, salt=f"experiment-{seed}", rng=rng)
    ]
    valid = _first([reading.always_valid.excludes_zero for reading in readings])
    return Found(
        _first([reading.fixed.excludes_zero for reading in readings]),
        valid,
        readings[-1].fixed.excludes_zero,
        any(reading.outcome == "broken_split" for reading in readings),
        valid is None or _sign(readings[valid - 1]) == np.sign(readers.effect),
        size.always_valid,
    )


def _sign(reading: Reading) -> float:
    return float(np.sign(reading.found.value))


def _first(flags: Sequence[bool]) -> int | None:
    return flags.index(True) + 1 if any(flags) else None


def wilson(k: int, n: int) -> str:
    """k of n in percent, with its 95 % interval (Wilson 1927)."""
    z, p = 1.96, k / n
    centre, half = (p + z * z / (2 * n)), z * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    low, high = (max(0.0, (centre + sign * half) / (1 + z * z / n)) for sign in (-1, 1))
    return f"{100 * p:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=1_000, help="without a difference, per case")
    parser.add_argument("--planted", type=int, default=200, help="experiments per planted difference")
    arguments = parser.parse_args()
    started = time.perf_counter()
    _false_alarms(arguments.experiments)
    _planted(arguments.planted)
    print(f"\n{time.perf_counter() - started:.0f} s")


def _false_alarms(n: int) -> None:
    print(f"{n:,} A/A experiments per case, 28 days, read every day; 95 % intervals of the shares in brackets\n")
    print("| rate | always valid | fixed, at every look | fixed, at the end | broken split |")
    print("| :-- | --: | --: | --: | --: |")
    for case, (name, rate, readers) in enumerate(CASES):
        seeds = range(case * n, (case + 1) * n)
        found = [run(rate, readers, planned=PLANNED, seed=seed) for seed in seeds]
        columns = (
            sum(each.always_valid is not None for each in found),
            sum(each.fixed is not None for each in found),
            sum(each.last_fixed for each in found),
            sum(each.sample_ratio for each in found),
        )
        print(f"| {name} | {' | '.join(wilson(k, n) for k in columns)} |", flush=True)


def _planted(n: int) -> None:
    print(f"\n{n:,} experiments per planted difference, clicks per list, 4,000 users, planned for that difference\n")
    print("| planted | needed users | found in 28 days | of the right sign | days, median (10 % to 90 %) |")
    print("| --: | --: | --: | --: | --: |")
    for effect in EFFECTS:
        readers = Readers(effect=effect)
        found = [run("click_through", readers, planned=effect, seed=seed) for seed in range(n)]
        days = [each.always_valid for each in found if each.always_valid is not None]
        told = "{:.0f} ({:.0f} to {:.0f})".format(*np.percentile(days, (50, 10, 90))) if days else "none"
        right = sum(each.right_sign for each in found if each.always_valid is not None)
        needed = np.median([each.needed for each in found])
        print(
            f"| {effect:+.0%} | {needed:,.0f} | {wilson(len(days), n)} | {right} of {len(days)} | {told} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
