"""Figures: what people did with the lists, by day, version and arm."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isnan, sqrt
from statistics import NormalDist

from recsys.event_store.database import Database
from recsys.event_store.events import EVENTS
from recsys.event_store.impressions import DAY, IMPRESSIONS, Impressions
from recsys.event_store.merges import MERGES
from recsys.experiments.totals import ArmTotals
from recsys.online.queries import Window, totals_by_arm, totals_by_day, totals_by_version

CONFIDENCE = 0.95
"""Of the intervals."""

MIN_UNITS = 30
"""Units below which no interval is given: it would not hold."""


@dataclass(frozen=True)
class Estimate:
    """A rate, and its interval over users; `low` and `high` are None with too few of them."""

    value: float | None
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, totals: ArmTotals) -> "Estimate":
        """The rate of `totals` with the interval of the delta method, cut at 0."""
        if not totals.bottom:
            return cls(None)
        spread = totals.unit_variance()
        if totals.n < MIN_UNITS or isnan(spread):
            return cls(totals.rate)
        half = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * sqrt(spread / totals.n)
        return cls(totals.rate, max(0.0, totals.rate - half), totals.rate + half)


@dataclass(frozen=True)
class Sums:
    """Sums over the units of one group: users, sessions of visitors, lists of nobody known.

    `clicks`: clicked lists per list. `conversions`: units with a conversion per unit.
    """

    clicks: ArmTotals
    conversions: ArmTotals
    fallbacks: int
    empty: int

    @classmethod
    def of(cls, row: Sequence[object]) -> "Sums":
        """The sums of one row of `SUMS`."""
        n, lists, clicks, lists2, clicks2, product, clicking, converting, fallbacks, empty = (
            int(str(each)) for each in row
        )
        counted = ArmTotals(n, clicking, clicks, lists, clicks2, lists2, product)
        converted = ArmTotals(n, converting, converting, n, converting, n, converting)
        return cls(counted, converted, fallbacks, empty)


@dataclass(frozen=True)
class Figures:
    """One line of the report. `day`: ISO 8601, UTC; None for the whole time. `arm`: None outside of an experiment.

    `users`: users, visitors' sessions, and lists of nobody known. `items`: different items listed, among the first
    100 places of each list; `coverage`: their share of the version's items, None if that is not known.
    """

    day: str | None
    version: str
    arm: str | None
    users: int
    lists: int
    click_through: Estimate
    conversion: Estimate
    items: int
    coverage: float | None
    fallback_share: float
    empty_share: float


@dataclass(frozen=True)
class OnlineReport:
    """What people did with the lists of a time: in all, by version and arm, and by day too."""

    overall: tuple[Figures, ...]
    by_day: tuple[Figures, ...]

    @property
    def versions(self) -> set[str]:
        """The versions that gave lists."""
        return {figures.version for figures in self.overall}


@dataclass(frozen=True)
class OnlineDays:
    """The last days, for the report of a night; `conversions`: kinds of events that count as such, all if none."""

    days: tuple[Figures, ...]
    conversions: tuple[str, ...] = ()


def online_report(database: Database, window: Window, *, n_items: Mapping[str, int] | None = None) -> OnlineReport:
    """The report of a time. `n_items`: how many items each version has. Raises EventStoreError."""
    with prepared(database).read() as queries:
        overall = queries.fetch(*totals_by_version(window))
        daily = queries.fetch(*totals_by_day(window))
    listed = _listed(database, window)
    sizes = n_items or {}

    def figures(day: int | None, version: str, arm: str | None, sums: Sums) -> Figures:
        return _figures(day, version, arm, sums, n_listed=len(listed[day, version, arm]), size=sizes.get(version))

    return OnlineReport(
        tuple(figures(None, version, arm, Sums.of(row)) for version, arm, *row in overall),
        tuple(figures(int(day), version, arm, Sums.of(row)) for day, version, arm, *row in daily),
    )


def arm_sums(database: Database, window: Window) -> tuple[dict[str, Sums], int]:
    """The sums of each arm of an experiment, and how many units were in both arms, which are left out of them."""
    with prepared(database).read() as queries:
        rows = queries.fetch(*totals_by_arm(window))
    sums = {arm: Sums.of(row) for arm, *row in rows}
    mixed = sums.pop("", None)
    return sums, 0 if mixed is None else mixed.clicks.n // 2


def prepared(database: Database) -> Database:
    """The database with the tables of events, merges and impressions."""
    database.require(EVENTS, MERGES, IMPRESSIONS)
    return database


def _listed(database: Database, window: Window) -> dict[tuple[int | None, str, str | None], set[str]]:
    """Different items by day, version and arm, and by version and arm alone: as large as the catalogue per group."""
    found: defaultdict[tuple[int | None, str, str | None], set[str]] = defaultdict(set)
    for day, version, arm, items in Impressions(database).stream(*window.days):
        found[day, version, arm].update(items)
        found[None, version, arm].update(items)
    return found


def _figures(
    day: int | None, version: str, arm: str | None, sums: Sums, *, n_listed: int, size: int | None
) -> Figures:
    lists = int(sums.clicks.bottom)
    return Figures(
        day=None if day is None else datetime.fromtimestamp(day * DAY, UTC).date().isoformat(),
        version=version,
        arm=arm,
        users=sums.clicks.n,
        lists=lists,
        click_through=Estimate.of(sums.clicks),
        conversion=Estimate.of(sums.conversions),
        items=n_listed,
        coverage=n_listed / size if size else None,
        fallback_share=sums.fallbacks / lists,
        empty_share=sums.empty / lists,
    )
