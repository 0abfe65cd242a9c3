"""Comparison of models on the same users: metrics of each, and the model's difference from every baseline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recsys.config import EvaluateConfig
from recsys.errors import DataError
from recsys.evaluation.definitions import sorted_metrics
from recsys.evaluation.metrics import Values
from recsys.evaluation.results import Evaluation
from recsys.evaluation.significance import Interval, mean_intervals


@dataclass(frozen=True)
class Estimate:
    """A mean over users and the bounds of its interval; unknown values are None.

    `users`: number of users that have the metric; None if all have it.
    """

    mean: float | None = None
    low: float | None = None
    high: float | None = None
    users: int | None = None

    @staticmethod
    def of(interval: Interval, users: int | None = None) -> "Estimate":
        """The estimate of an interval; NaN becomes None."""
        mean, low, high = (None if value is None or np.isnan(value) else float(value) for value in interval)
        return Estimate(mean, low, high, users)

    @property
    def excludes_zero(self) -> bool:
        """Whether the whole interval is above or below zero, so that a difference is probably not chance."""
        return (self.low or 0) > 0 or (self.high or 0) < 0

    def to_dict(self) -> dict[str, float | int]:
        """The fields that are not None."""
        return {key: value for key, value in vars(self).items() if value is not None}


Estimates = dict[str, dict[str, Estimate]]
"""Model (or "als minus popular") to metric ("ndcg@20") to its estimate."""


def compare(evaluations: Sequence[Evaluation], evaluate: EvaluateConfig) -> tuple[Estimates, Estimates]:
    """The metrics of every model, and the paired differences of the first one minus each other.

    All intervals come from the same resamples of users. Raises DataError if the evaluations are not of the same users
    and metrics, or two have the same name.
    """
    _check_comparable(evaluations)
    model, *baselines = evaluations
    columns = {evaluation.name: dict(evaluation.per_user) for evaluation in evaluations}
    overall = {evaluation.name: dict(evaluation.overall) for evaluation in evaluations}
    for other in baselines:
        name = f"{model.name} minus {other.name}"
        columns[name] = {metric: values - other.per_user[metric] for metric, values in model.per_user.items()}
        overall[name] = {metric: value - other.overall[metric] for metric, value in model.overall.items()}
    estimates = {
        name: _sorted(table | {metric: Estimate(value) for metric, value in overall[name].items()})
        for name, table in estimate(columns, evaluate).items()
    }
    names = [evaluation.name for evaluation in evaluations]
    return {name: estimates.pop(name) for name in names}, estimates


def _check_comparable(evaluations: Sequence[Evaluation]) -> None:
    names = [evaluation.name for evaluation in evaluations]
    if len(set(names)) < len(names) or not names:
        raise DataError(f"comparison: got the models {names}; expected at least one, all with different names")
    for other in evaluations[1:]:
        if other.n_users != evaluations[0].n_users or other.means().keys() != evaluations[0].means().keys():
            raise DataError(
                f"comparison: {names[0]} and {other.name} were not evaluated on the same users and metrics"
            )


def estimate(columns: Mapping[str, Mapping[str, Values]], evaluate: EvaluateConfig) -> Estimates:
    """The mean and interval of every metric of every model; all columns, float64 (n,), are of the same users."""
    intervals = iter(
        mean_intervals(
            np.column_stack([values for table in columns.values() for values in table.values()]),
            samples=evaluate.bootstrap,
            confidence=evaluate.confidence,
            rng=np.random.default_rng(evaluate.seed),
        )
    )
    return {
        name: {metric: _estimate(next(intervals), values) for metric, values in table.items()}
        for name, table in columns.items()
    }


def _sorted(table: dict[str, Estimate]) -> dict[str, Estimate]:
    return {metric: table[metric] for metric in sorted_metrics(table)}


def _estimate(interval: Interval, values: Values) -> Estimate:
    n_users = int((~np.isnan(values)).sum())
    return Estimate.of(interval, users=None if n_users == len(values) else n_users)
