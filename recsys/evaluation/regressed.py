"""The users for whom a new version does most harm: against a baseline, or against the version that serves."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from recsys.data.arrays import Indices
from recsys.data.items import Items
from recsys.evaluation.cohort import Cohort
from recsys.evaluation.evaluator import Evaluation
from recsys.evaluation.examples import Example, list_by_id, show_users
from recsys.evaluation.metrics import Values
from recsys.evaluation.serving import Comparison

SERVING = "serving"
"""What the lists of the version that serves are called."""


@dataclass(frozen=True)
class Regressed:
    """A user for whom the metric fell from `before` to `now`, or is lower than with the other model."""

    before: float
    now: float
    example: Example


@dataclass(frozen=True)
class Regressions:
    """Those who lose most, most first; `against`: a baseline, or SERVING."""

    against: str
    users: tuple[Regressed, ...]


def regressions(
    evaluations: Sequence[Evaluation],
    cohort: Cohort,
    items: Items,
    *,
    metric: str,
    serving: Comparison | None = None,
    n: int = 5,
) -> Regressions | None:
    """At most `n` users who lose most by `metric` against the version that serves.

    Where it cannot be paired, against the strongest of the baselines among `evaluations` (the model comes first);
    None where there is none either. `items` knows the titles.
    """
    model, *baselines = evaluations
    if serving is not None and metric in serving.paired:
        return _against_serving(model, cohort, items, serving, metric, n)
    if not baselines:
        return None
    strongest = max(baselines, key=lambda each: each.means()[metric])
    now, before = model.per_user[metric], strongest.per_user[metric]
    rows = regressed_rows(now, before, n)
    shown = show_users(rows, cohort, [model, strongest], items)
    return Regressions(strongest.name, _joined(before[rows], now[rows], shown))


def _against_serving(
    model: Evaluation, cohort: Cohort, items: Items, serving: Comparison, metric: str, n: int
) -> Regressions | None:
    record = serving.serving.record
    if record is None:
        return None
    now = serving.now.per_user[metric][serving.rows_now].astype(np.float64)
    before = record.per_user[metric][serving.rows_before].astype(np.float64)
    shared = regressed_rows(now, before, n)
    rows = serving.rows_now[shared]
    shown = [
        replace(
            example, lists={**example.lists, SERVING: list_by_id(record.list_of(int(old)), int(row), cohort, items)}
        )
        for example, row, old in zip(
            show_users(rows, cohort, [model], items), rows, serving.rows_before[shared], strict=True
        )
    ]
    return Regressions(SERVING, _joined(before[shared], now[shared], shown))


def _joined(before: Values, now: Values, shown: Sequence[Example]) -> tuple[Regressed, ...]:
    return tuple(
        Regressed(float(was), float(new), example) for was, new, example in zip(before, now, shown, strict=True)
    )


def regressed_rows(now: Values, before: Values, n: int) -> Indices:
    """Int32 (at most n,): the rows that fell furthest from `before` to `now`, float64 (n_users,); furthest first.

    Equal falls stand in the order of their rows; who did not fall is left out.
    """
    order = np.argsort(now - before, kind="stable")[:n]
    return order[(now < before)[order]].astype(np.int32)
