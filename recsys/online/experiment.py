"""Reading an experiment: what the event store says of its two arms."""

import time
from dataclasses import dataclass
from datetime import datetime

from recsys.event_store.database import Database
from recsys.experiments.difference import difference
from recsys.experiments.guardrails import Breach, breach_of_click_through
from recsys.experiments.plan import Experiment, Rate
from recsys.experiments.sequential import always_valid_bounds, mixture_variance
from recsys.experiments.totals import ArmTotals
from recsys.experiments.verdict import Reading, in_words, read
from recsys.online.figures import Sums, arm_sums
from recsys.online.queries import Window

_NOTHING = Sums(ArmTotals(), ArmTotals(), 0, 0)


@dataclass(frozen=True)
class ExperimentReading:
    """One look at an experiment. `mixed`: users and sessions that were in both arms, left out of everything else.

    `reading`: of the rate that it decides by; `verdict`: that in words. `other`: the other rate, told beside it.
    `lists`: of control and treatment. `breach`: of the guardrail of click-through, None if it holds.
    """

    experiment: Experiment
    reading: Reading
    other: Reading
    lists: tuple[int, int]
    mixed: int
    verdict: str
    breach: Breach | None


def look(database: Database, experiment: Experiment) -> ExperimentReading:
    """What the event store says now, or said at its end. Raises EventStoreError."""
    sums, mixed = arm_sums(database, _window(experiment))
    control, treatment = (sums.get(arm, _NOTHING) for arm in ("control", "treatment"))
    goal = experiment.goal
    other: Rate = "conversion" if goal.rate == "click_through" else "click_through"
    reading = _read(experiment, control, treatment, goal.rate)
    return ExperimentReading(
        experiment,
        reading,
        _read(experiment, control, treatment, other),
        (int(control.clicks.bottom), int(treatment.clicks.bottom)),
        mixed,
        in_words(reading, needed=goal.needed, days=experiment.days, effect=goal.effect),
        _breach(experiment, control, treatment),
    )


def breach_of_clicks(database: Database, experiment: Experiment) -> Breach | None:
    """The guardrail of click-through, if it is broken. Raises EventStoreError."""
    sums, _ = arm_sums(database, _window(experiment))
    return _breach(experiment, *(sums.get(arm, _NOTHING) for arm in ("control", "treatment")))


def _window(experiment: Experiment) -> Window:
    stop = experiment.stop
    until = time.time() + 1 if stop is None else datetime.fromisoformat(stop.at).timestamp() + 1
    since = datetime.fromisoformat(experiment.share_since).timestamp()
    return Window(since, until, experiment.goal.clicks, experiment.goal.conversions, experiment.salt)


def _read(experiment: Experiment, control: Sums, treatment: Sums, rate: Rate) -> Reading:
    arms = [arm.clicks if rate == "click_through" else arm.conversions for arm in (control, treatment)]
    goal = experiment.goal
    return read(*arms, share=experiment.share, tightest_at=goal.tightest_at, needed=goal.needed, alpha=goal.alpha)


def _breach(experiment: Experiment, control: Sums, treatment: Sums) -> Breach | None:
    found = difference(control.clicks, treatment.clicks)
    mixture = mixture_variance(experiment.goal.tightest_at, alpha=experiment.goal.alpha)
    bounds = always_valid_bounds(found, mixture=mixture, alpha=experiment.goal.alpha)
    return breach_of_click_through(found, bounds, experiment.guards)
