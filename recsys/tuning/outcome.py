"""Outcome: what a search found, as plain values, as sentences, and its trials as a table."""

import csv
import io
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from recsys.evaluation.definitions import coverage_of
from recsys.evaluation.number_format import count, figure, percent
from recsys.evaluation.significance import Interval
from recsys.tuning.ablation import Ablation
from recsys.tuning.settings import Settings, flat
from recsys.tuning.trials import FinishedTrial


class Coverage(NamedTuple):
    """Of the lists of the validation users, under the settings the search began with and under the winner's."""

    start: float
    winner: float


@dataclass(frozen=True)
class Outcome:
    """`start`, `winner`: their `metric` over `n_users` validation users at `factors`; `gain`: winner minus start.

    `coverage`: at the cut-off of the metric; `coverage_weight`: settings were compared by the metric plus this times
    the coverage. `settings`: those of the winner that differ from the start; empty if no trial was better.
    `confidence`: of every interval. `interrupted`: by Ctrl-C.
    """

    metric: str
    n_users: int
    split: str
    factors: int
    coverage_weight: float
    coverage: Coverage
    start: Interval
    winner: Interval
    gain: Interval
    confidence: float
    settings: Settings
    trials: tuple[FinishedTrial, ...]
    ablation: tuple[Ablation, ...]
    interrupted: bool
    seconds: float

    @property
    def n_trials(self) -> dict[int, int]:
        """Trials by dimension."""
        dimensions = [trial.factors for trial in self.trials]
        return {factors: dimensions.count(factors) for factors in sorted(set(dimensions))}

    def to_dict(self) -> dict[str, object]:
        """Plain values for `--json`; the trials are in their table instead."""
        return {
            "metric": self.metric,
            "n_users": self.n_users,
            "split": self.split,
            "factors": self.factors,
            **{name: _plain(getattr(self, name)) for name in ("start", "winner", "gain")},
            "coverage": self.coverage._asdict(),
            "coverage_weight": self.coverage_weight,
            "confidence": self.confidence,
            "settings": flat(self.settings),
            "n_trials": {str(factors): n for factors, n in self.n_trials.items()},
            "ablation": [
                {
                    "group": row.group,
                    "without": row.without,
                    "coverage": row.coverage,
                    "gain": row.gain and _plain(row.gain),
                }
                for row in self.ablation
            ],
            "interrupted": self.interrupted,
            "seconds": round(self.seconds, 1),
        }

    def sentences(self) -> list[str]:
        """What was found, and with which confidence."""
        trials = ", ".join(f"{n} at {factors} factors" for factors, n in self.n_trials.items())
        users = f"{count(self.n_users)} validation users (split {self.split!r}, cut from the train side)"
        start, winner = (f"{coverage_of(self.metric)} {figure(share)}" for share in self.coverage)
        found = f"{self.metric} {self._with_interval(self.winner)}, {winner} over {users}"
        if not self.settings:
            nothing = f"no trial was better than the settings the search began with: {found}"
            return [f"{nothing}, at {self.factors} factors", f"trials: {trials}"]
        return [
            f"{found}, at {self.factors} factors",
            f"the settings the search began with: {figure(self.start.mean)}, {start}; "
            f"gain {self._with_interval(self.gain, sign=True)}",
            *self._compared_by(),
            f"trials: {trials}",
            "the winner was chosen on these users; expect a smaller gain on the holdout, which was not used",
        ]

    def _compared_by(self) -> list[str]:
        """What the winner is best in, if that is not the metric alone."""
        if not self.coverage_weight:
            return []
        objective = f"{self.metric} + {self.coverage_weight:g} * {coverage_of(self.metric)}"
        values = [
            figure(interval.mean + self.coverage_weight * coverage)
            for interval, coverage in ((self.winner, self.coverage.winner), (self.start, self.coverage.start))
        ]
        return [f"settings were compared by {objective}: {values[0]} against {values[1]}"]

    def _with_interval(self, interval: Interval, *, sign: bool = False) -> str:
        mean, low, high = (figure(value, sign=sign) for value in interval)
        return mean if interval.low is None else f"{mean} ({percent(self.confidence)} interval {low} to {high})"

    def notes(self, on: date, name: str) -> list[str]:
        """Lines for the top of the configuration that was found. `name`: of the file the search began with."""
        return [f"by `recsys tune {name}` on {on}", *self.sentences()]


def _plain(interval: Interval) -> dict[str, float]:
    return {name: value for name, value in interval._asdict().items() if value is not None}


def _six_digits(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def trials_table(outcome: Outcome) -> str:
    """CSV, one row per trial: dimension, number, state, metric, coverage, seconds, and every setting by its key."""
    rows = [
        {
            "factors": trial.factors,
            "trial": trial.number,
            "state": trial.state,
            outcome.metric: _six_digits(trial.score),
            coverage_of(outcome.metric): _six_digits(trial.coverage),
            "seconds": trial.seconds,
            **flat(trial.settings),
        }
        for trial in outcome.trials
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
