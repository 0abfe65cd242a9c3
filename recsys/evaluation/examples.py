"""Examples: single users with their history, their held-out items and the list of every model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recsys.data.arrays import Indices
from recsys.data.items import Items
from recsys.data.matrix import Csr
from recsys.evaluation.metrics import Values
from recsys.evaluation.results import Cohort, Evaluation
from recsys.evaluation.serving_comparison import ServingComparison

SHOWN_PLACES = 10
_SHOWN_ITEMS = 8


@dataclass(frozen=True)
class Listed:
    """An item in a list: its title, or its id if it has none, and whether it is among the user's held-out items."""

    title: str
    hit: bool


@dataclass(frozen=True)
class Example:
    """One user, items by title. `lists`: model to the first items of its list.

    `history`: the items with the largest weight, of `n_history`. `relevant`: some of the `n_relevant` held-out items.
    """

    user_id: str
    history: tuple[str, ...]
    n_history: int
    relevant: tuple[str, ...]
    n_relevant: int
    lists: Mapping[str, tuple[Listed, ...]]


def spread_rows(n_users: int, n: int) -> Indices:
    """int32 (up to n,): evenly spaced rows of `n_users`."""
    return np.unique(np.linspace(0, n_users - 1, n).astype(np.int32))


def show_users(rows: Indices, cohort: Cohort, evaluations: Sequence[Evaluation], items: Items) -> list[Example]:
    """The users at `rows` of `cohort` with the lists of `evaluations`; titles are from `items`."""
    catalogue = items.aligned(cohort.items)
    return [_show(int(row), cohort, evaluations, catalogue) for row in rows]


def list_by_id(ids: Sequence[str], row: int, cohort: Cohort, items: Items) -> tuple[Listed, ...]:
    """The list `ids` for the user at `row` of `cohort`, as in `Example.lists`; titles are from `items`."""
    relevant = set(cohort.items.decode(_heaviest(cohort.holdout, row).tolist()))
    return tuple(Listed(_title(items, item_id), item_id in relevant) for item_id in ids[:SHOWN_PLACES])


def _title(items: Items, item_id: str) -> str:
    position = items.ids.position(item_id)
    return (None if position is None else items.title(position)) or item_id


def _show(row: int, cohort: Cohort, evaluations: Sequence[Evaluation], catalogue: Items) -> Example:
    history, relevant = _heaviest(cohort.history, row), _heaviest(cohort.holdout, row)
    return Example(
        user_id=cohort.users.id_at(row),
        history=_titles(catalogue, history[:_SHOWN_ITEMS]),
        n_history=len(history),
        relevant=_titles(catalogue, relevant[:_SHOWN_ITEMS]),
        n_relevant=len(relevant),
        lists={each.name: _listed(catalogue, each.lists[row], relevant) for each in evaluations},
    )


def _heaviest(matrix: Csr, row: int) -> Indices:
    """int32: the columns of a row, largest value first."""
    start, stop = matrix.indptr[row], matrix.indptr[row + 1]
    order = np.argsort(-matrix.data[start:stop], kind="stable")
    heaviest: Indices = matrix.indices[start:stop][order]
    return heaviest


def _listed(catalogue: Items, places: Indices, relevant: Indices) -> tuple[Listed, ...]:
    shown = places[places >= 0][:SHOWN_PLACES]
    hits = np.isin(shown, relevant)
    return tuple(Listed(title, bool(hit)) for title, hit in zip(_titles(catalogue, shown), hits, strict=True))


def _titles(catalogue: Items, positions: Indices) -> tuple[str, ...]:
    return tuple(catalogue.title(int(at)) or catalogue.ids.id_at(int(at)) for at in positions)


SERVING = "serving"
"""Name of the serving version among the names of models."""


@dataclass(frozen=True)
class Regressed:
    """A user whose metric is lower `now`, with the new model, than `before`, with the other one."""

    before: float
    now: float
    example: Example


@dataclass(frozen=True)
class Regressions:
    """The users with the largest losses, largest first. `against`: a baseline, or SERVING."""

    against: str
    users: tuple[Regressed, ...]


def regressions(
    evaluations: Sequence[Evaluation],
    cohort: Cohort,
    items: Items,
    *,
    metric: str,
    serving: ServingComparison | None = None,
    n: int = 5,
) -> Regressions | None:
    """The up to `n` users with the largest losses in `metric` against the serving version.

    If that cannot be paired, against the strongest of the baselines among `evaluations` (the model comes first); None
    if there are none. Titles are from `items`.
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
    model: Evaluation, cohort: Cohort, items: Items, serving: ServingComparison, metric: str, n: int
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
    """int32 (up to n,): the rows with the largest loss from `before` to `now`, float64 (n_users,), largest first.

    Equal losses are in the order of their rows. Rows without a loss are left out.
    """
    order = np.argsort(now - before, kind="stable")[:n]
    return order[(now < before)[order]].astype(np.int32)
