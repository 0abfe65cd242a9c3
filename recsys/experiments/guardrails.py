"""Guardrails: what ends an arm by itself."""

from dataclasses import dataclass
from math import sqrt
from typing import Literal, TypeAlias

from recsys.experiments.difference import Bounds, Difference

GuardName: TypeAlias = Literal["errors", "slow", "empty", "click_through"]
"""What is watched: failed lists, lists slower than `max_seconds`, empty lists, and how often lists are clicked."""

MIN_LISTS = 200
"""Lists of the treatment below which no share of lists is judged."""

_STANDARD_ERRORS = 5.0


@dataclass(frozen=True)
class Guards:
    """How much worse than control the treatment may be.

    `errors`, `empty`: more of the lists, as a share. `max_seconds`: 99 % of the lists take no longer, unless
    control's do too. `click_through`: how much of control's click-through may be lost, as a share of it.
    """

    errors: float = 0.01
    empty: float = 0.02
    max_seconds: float = 0.25
    click_through: float = 0.2


SLOW_SHARE = 0.01
"""The 99th percentile is above `max_seconds` if more than this share of lists is slower."""


@dataclass(frozen=True)
class Shares:
    """Lists of one arm in the window that is watched: all of them, failed, slower than `max_seconds`, empty."""

    lists: int = 0
    errors: int = 0
    slow: int = 0
    empty: int = 0


@dataclass(frozen=True)
class Breach:
    """A guardrail that the treatment broke, in words."""

    guard: GuardName
    message: str


def breach_of_shares(control: Shares, treatment: Shares, guards: Guards) -> Breach | None:
    """The first guardrail that the treatment's lists break, None if none.

    A share is too high if it is above control's by more than the guardrail allows and 5 standard errors: it is looked
    at every few seconds for weeks, so chance must not reach it.
    """
    if treatment.lists < MIN_LISTS:
        return None
    limits: tuple[tuple[GuardName, float, str], ...] = (
        ("errors", guards.errors, "failed"),
        ("slow", SLOW_SHARE, f"took longer than {guards.max_seconds:g} s"),
        ("empty", guards.empty, "were empty"),
    )
    for name, allowed, what in limits:
        mine, others = getattr(treatment, name), getattr(control, name)
        if _exceeds(mine, treatment.lists, others, control.lists, allowed):
            return Breach(name, _told(what, mine, treatment.lists, others, control.lists))
    return None


def breach_of_click_through(found: Difference, bounds: Bounds, guards: Guards) -> Breach | None:
    """The guardrail of click-through: broken if the whole (always-valid) interval is below what may be lost."""
    lost = guards.click_through * found.control
    if not found.is_known or bounds.high >= -lost:
        return None
    return Breach(
        "click_through",
        f"click-through is {found.treatment:.2%} against {found.control:.2%}; the difference is at most"
        f" {bounds.high:+.2%}, and -{lost:.2%} is allowed",
    )


def _exceeds(mine: int, lists: int, others: int, other_lists: int, allowed: float) -> bool:
    p, q = mine / lists, others / other_lists if other_lists else 0.0
    pooled = (mine + others) / (lists + other_lists)
    error = sqrt(pooled * (1 - pooled) * (1 / lists + (1 / other_lists if other_lists else 0.0)))
    return p - q > allowed + _STANDARD_ERRORS * error


def _told(what: str, mine: int, lists: int, others: int, other_lists: int) -> str:
    return f"{mine:,} of {lists:,} lists {what}, of control {others:,} of {other_lists:,}"
