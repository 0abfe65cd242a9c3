"""JSON of what people did with the lists, and of an experiment. What cannot be told is null."""

from dataclasses import asdict
from math import isfinite
from typing import TypeAlias

from recsys.experiments.difference import Bounds
from recsys.experiments.plan import Experiment
from recsys.experiments.verdict import Reading
from recsys.online.experiment import ExperimentReading
from recsys.online.figures import OnlineReport

Tree: TypeAlias = dict[str, object]


def of_report(report: OnlineReport) -> Tree:
    """`overall` and `by_day`: lists of figures."""
    return {"overall": [asdict(it) for it in report.overall], "by_day": [asdict(it) for it in report.by_day]}


def of_experiment(experiment: Experiment) -> Tree:
    """The plan as its file holds it, and how long it has run."""
    return {**experiment.model_dump(mode="json"), "days": round(experiment.days, 3)}


def of_reading(found: ExperimentReading) -> Tree:
    """One look at an experiment."""
    reading = found.reading
    return {
        "experiment": of_experiment(found.experiment),
        "outcome": reading.outcome,
        "verdict": found.verdict,
        "users": {"control": reading.control.n, "treatment": reading.treatment.n, "in_both_arms": found.mixed},
        "lists": dict(zip(("control", "treatment"), found.lists, strict=True)),
        "rates": {
            rate: _rate(each) for rate, each in zip(_names(found.experiment), (reading, found.other), strict=True)
        },
        "sample_ratio": {"p_value": reading.sample_ratio[0], "always_valid_p_value": reading.sample_ratio[1]},
        "guardrail": None if found.breach is None else {"name": found.breach.guard, "message": found.breach.message},
    }


def _names(experiment: Experiment) -> tuple[str, str]:
    rate = experiment.goal.rate
    return rate, "conversion" if rate == "click_through" else "click_through"


def _rate(reading: Reading) -> Tree:
    found = reading.found
    return {
        "control": _number(found.control),
        "treatment": _number(found.treatment),
        "difference": _number(found.value),
        "relative": _number(found.relative),
        "fixed": _bounds(reading.fixed),
        "always_valid": _bounds(reading.always_valid),
    }


def _bounds(bounds: Bounds) -> Tree:
    return {"low": _number(bounds.low), "high": _number(bounds.high), "p_value": bounds.p_value}


def _number(value: float) -> float | None:
    return value if isfinite(value) else None
