"""How much a search may do, and how much of its time is left."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

_DEFAULT_TRIALS = 30  # if neither trials nor seconds are given
_MOST_LOW = 60  # trials at the low dimension if only seconds are given

# Shares of the time: the end of the low dimension, and the end of all trials; the ablation has the rest.
_LOW_UNTIL, _TRIALS_UNTIL = 0.6, 0.9


@dataclass(frozen=True)
class Plan:
    """How much one stage may do: up to `n_trials` (None: no limit), until `share` of the search's time has passed.

    `n_random`: trials before the earlier ones guide the choice.
    """

    factors: int
    n_trials: int | None
    share: float
    n_random: int = 8


@dataclass(frozen=True)
class SearchBudget:
    """How much a search may do, and on what.

    `trials`: the limit of all trials, those of an earlier search included; `seconds`: the limit of this search.
    Whichever is reached first ends it; with neither, 30 trials. `factors_low`: the dimension of the first stage, if
    the configured one is higher. `tune_events`: search the event weights and the half-life too. `n_users`: up to so
    many validation users. `coverage_weight`: settings are compared by the metric plus this times the coverage of the
    validation users' lists.
    """

    trials: int | None = None
    seconds: float | None = None
    factors_low: int = 64
    tune_events: bool = False
    n_users: int = 5_000
    coverage_weight: float = 0.0

    def plans(self, factors: int) -> list[Plan]:
        """The stages of a search for a model of `factors` dimensions: a low dimension first, then the full one."""
        trials = _DEFAULT_TRIALS if self.trials is None and self.seconds is None else self.trials
        if factors <= self.factors_low or trials in (1, 2):
            return [Plan(factors, trials, _TRIALS_UNTIL)]
        n_full = None if trials is None else trials // 3
        n_low = _MOST_LOW if trials is None else trials - trials // 3
        return [Plan(self.factors_low, n_low, _LOW_UNTIL), Plan(factors, n_full, _TRIALS_UNTIL, n_random=0)]


@dataclass
class Deadline:
    """The time of one search: `seconds` from its making, None for no limit. `interrupted` ends the search at once."""

    seconds: float | None = None
    interrupted: bool = False
    clock: Callable[[], float] = time.monotonic
    _started: float = field(init=False)

    def __post_init__(self) -> None:
        self._started = self.clock()

    @property
    def used(self) -> float:
        """Seconds that have passed."""
        return self.clock() - self._started

    def left(self, share: float = 1.0) -> float | None:
        """Seconds until `share` of the time has passed, 0 if it has; None without a limit."""
        return None if self.seconds is None else max(0.0, share * self.seconds - self.used)

    def over(self, share: float = 1.0) -> bool:
        """Whether `share` of the time has passed, or the search was interrupted."""
        return self.interrupted or self.left(share) == 0.0
