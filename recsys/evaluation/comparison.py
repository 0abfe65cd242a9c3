"""Models side by side on the same users: each one's figures, and the model's lead over every baseline."""

from collections.abc import Mapping, Sequence

import numpy as np

from recsys.config import EvaluateConfig
from recsys.errors import DataError
from recsys.evaluation.definitions import sorted_metrics
from recsys.evaluation.evaluator import Evaluation
from recsys.evaluation.metrics import Values
from recsys.evaluation.significance import Interval, mean_intervals

Entry = dict[str, float | int]
"""{"mean", "low", "high"}: low and high only where there is an interval; "users" too where the metric exists for
fewer than all; without "mean" where it exists for nobody."""

Figures = dict[str, dict[str, Entry]]
"""Model (or "als minus popular") to metric to its entry."""


def compare(evaluations: Sequence[Evaluation], evaluate: EvaluateConfig) -> tuple[Figures, Figures]:
    """The figures of every model, and the paired differences of the first one minus each other.

    All intervals come from the same resamples of users. Raises DataError where the evaluations are not of the same
    users and metrics, or two have the same name.
    """
    _check_comparable(evaluations)
    model, *baselines = evaluations
    columns = {evaluation.name: dict(evaluation.per_user) for evaluation in evaluations}
    overall = {evaluation.name: dict(evaluation.overall) for evaluation in evaluations}
    for other in baselines:
        name = f"{model.name} minus {other.name}"
        columns[name] = {metric: values - other.per_user[metric] for metric, values in model.per_user.items()}
        overall[name] = {metric: value - other.overall[metric] for metric, value in model.overall.items()}
    figures = {
        name: _in_order(entries | {metric: {"mean": value} for metric, value in overall[name].items()})
        for name, entries in figures_of(columns, evaluate).items()
    }
    names = {evaluation.name for evaluation in evaluations}
    return (
        {name: figures[name] for name in figures if name in names},
        {name: figures[name] for name in figures if name not in names},
    )


def _check_comparable(evaluations: Sequence[Evaluation]) -> None:
    names = [evaluation.name for evaluation in evaluations]
    if len(set(names)) < len(names) or not names:
        raise DataError(f"comparison: got the models {names}; expected at least one, each by its own name")
    for other in evaluations[1:]:
        if other.n_users != evaluations[0].n_users or other.means().keys() != evaluations[0].means().keys():
            raise DataError(
                f"comparison: {names[0]} and {other.name} were not evaluated on the same users and metrics"
            )


def figures_of(columns: Mapping[str, Mapping[str, Values]], evaluate: EvaluateConfig) -> Figures:
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
        name: {metric: _entry(next(intervals), values) for metric, values in table.items()}
        for name, table in columns.items()
    }


def _in_order(entries: dict[str, Entry]) -> dict[str, Entry]:
    return {metric: entries[metric] for metric in sorted_metrics(entries)}


def entry_of(interval: Interval) -> Entry:
    """An interval as an entry: what is not known is left out."""
    return {key: value for key, value in interval._asdict().items() if value is not None and not np.isnan(value)}


def _entry(interval: Interval, values: Values) -> Entry:
    n_users = int((~np.isnan(values)).sum())
    known = entry_of(interval)
    return known if n_users == len(values) else {**known, "users": n_users}
