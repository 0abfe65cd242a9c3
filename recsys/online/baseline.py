"""Baseline: what an experiment may expect, from what people did before it."""

import time
from dataclasses import dataclass

from recsys.errors import ConfigError
from recsys.event_store.database import Database
from recsys.event_store.impressions import DAY
from recsys.experiments.plan import Goal, Rate
from recsys.experiments.size import needed_size
from recsys.experiments.totals import ArmTotals
from recsys.online.figures import Sums, prepared
from recsys.online.queries import Window, totals_by_version

DAYS = 28
"""How far back is looked."""

ASSUMED = 0.05
"""The rate that is assumed if nothing is known."""

_FEW = 100


@dataclass(frozen=True)
class Baseline:
    """A rate, its variance for one user (`ArmTotals.unit_variance`), and users per day; 0 if nothing is known."""

    rate: float
    unit_variance: float
    users_per_day: float = 0.0

    @property
    def is_measured(self) -> bool:
        """Whether it comes from impressions."""
        return self.users_per_day > 0


def assumed(rate: float = ASSUMED) -> Baseline:
    """One list per user, each with this probability of a click. Raises ConfigError unless it is inside 0 to 1."""
    if not 0 < rate < 1:
        raise ConfigError(f"--baseline: got {rate:g}; expected more than 0 and less than 1")
    return Baseline(rate, rate * (1 - rate))


def measured(
    database: Database, rate: Rate, *, clicks: tuple[str, ...] = (), conversions: tuple[str, ...] = ()
) -> Baseline | None:
    """The last 28 days; None with fewer than 100 users, or without a click. Raises EventStoreError."""
    now = time.time()
    with prepared(database).read() as queries:
        rows = queries.fetch(*totals_by_version(Window(now - DAYS * DAY, now + 1, clicks, conversions)))
        (bounds,) = queries.fetch(
            "SELECT MIN(given_at), MAX(given_at) FROM impressions WHERE day >= ?", (now // DAY - DAYS,)
        )
    whole = ArmTotals()
    for _, _, *row in rows:
        sums = Sums.of(row)
        whole += sums.clicks if rate == "click_through" else sums.conversions
    if whole.n < _FEW or not 0 < whole.rate < 1:
        return None
    days = max(1.0, (bounds[1] - bounds[0]) / DAY)
    return Baseline(whole.rate, whole.unit_variance(), whole.n / days)


def goal_of(
    baseline: Baseline,
    *,
    rate: Rate,
    effect: float,
    share: float,
    alpha: float = 0.05,
    power: float = 0.8,
    clicks: tuple[str, ...] = (),
    conversions: tuple[str, ...] = (),
) -> Goal:
    """What it takes to find a relative difference `effect`. Raises ConfigError for what is out of range."""
    if not 0 < effect <= 10:
        raise ConfigError(f"--effect: got {effect:g}; expected a relative difference above 0, such as 0.1 for 10 %")
    for option, value in (("alpha", alpha), ("power", power)):
        if not 0 < value < 1:
            raise ConfigError(f"--{option}: got {value:g}; expected more than 0 and less than 1")
    size = needed_size(baseline.unit_variance, effect=effect * baseline.rate, share=share, alpha=alpha, power=power)
    return Goal(
        rate=rate,
        clicks=clicks,
        conversions=conversions,
        effect=effect,
        baseline=baseline.rate,
        alpha=alpha,
        power=power,
        needed_once=size.fixed,
        needed=size.always_valid,
        tightest_at=size.tightest_at,
    )
