"""Simulated experiments with a known truth: readers who come back, some often, some more willing to click."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from recsys.experiments.assignment import place_of
from recsys.experiments.totals import ArmTotals

Rate: TypeAlias = Literal["click_through", "conversion"]
"""Clicks per list, or users with a click per user: the two kinds of rates."""

Counts = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Readers:
    """The readers of an experiment, and the planted `effect`: treatment has 1 + effect times as many clicks per list.

    `click_rate`: mean over users of the probability that a list is clicked; it differs between users as a beta
    distribution does whose parameters sum to `alike`. `visits`: mean probability of a visit per day, which differs as
    widely. `lists`: mean number of lists of a visit.
    """

    users: int = 4_000
    days: int = 28
    share: float = 0.5
    effect: float = 0.0
    click_rate: float = 0.08
    alike: float = 10.0
    visits: float = 0.15
    lists: float = 3.0


def daily_totals(
    readers: Readers, *, rate: Rate, salt: str, rng: np.random.Generator
) -> Iterator[tuple[ArmTotals, ArmTotals]]:
    """Control's and treatment's totals of `rate` at the end of each day, from the first day on."""
    lists, clicks = _first_to_last(readers, salt=salt, rng=rng)
    in_treatment = _in_treatment(readers, salt)
    for shown, clicked in zip(lists, clicks, strict=True):
        seen = shown > 0
        top, bottom = (clicked, shown) if rate == "click_through" else (clicked > 0, seen)
        yield _totals(top, bottom, seen & ~in_treatment), _totals(top, bottom, seen & in_treatment)


def _first_to_last(readers: Readers, *, salt: str, rng: np.random.Generator) -> tuple[Counts, Counts]:
    """int64 (days, users): lists and clicked lists of each user from the first day to each day."""
    shape = (readers.days, readers.users)
    willing = _beta(readers.click_rate, readers.alike, readers.users, rng)
    visit = _beta(readers.visits, readers.alike / 5, readers.users, rng)
    lists = np.where(rng.random(shape) < visit, 1 + rng.poisson(readers.lists - 1, shape), 0)
    factor = np.where(_in_treatment(readers, salt), 1 + readers.effect, 1.0)
    clicks = rng.binomial(lists, np.minimum(1.0, willing * factor))
    return lists.cumsum(axis=0), clicks.cumsum(axis=0)


def _beta(mean: float, alike: float, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    return rng.beta(mean * alike, (1 - mean) * alike, n)


def _in_treatment(readers: Readers, salt: str) -> NDArray[np.bool_]:
    places = [place_of(f"user-{at}", salt=salt) for at in range(readers.users)]
    return np.array(places) < readers.share


def _totals(top: NDArray[np.generic], bottom: NDArray[np.generic], chosen: NDArray[np.bool_]) -> ArmTotals:
    return ArmTotals.of(top[chosen].astype(np.float64), bottom[chosen].astype(np.float64))
