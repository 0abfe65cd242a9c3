"""Single users to judge by: what they are known by, what they took next, and what every model would have shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recsys.data.arrays import Indices
from recsys.data.items import Items
from recsys.data.matrix import Csr
from recsys.evaluation.cohort import Cohort
from recsys.evaluation.evaluator import Evaluation

SHOWN_PLACES = 10
_SHOWN_ITEMS = 8


@dataclass(frozen=True)
class Listed:
    """An item in a list: its title, or its id where it has none, and whether the user took it in the holdout."""

    title: str
    hit: bool


@dataclass(frozen=True)
class Example:
    """One user. `history`: the heaviest items, of `n_history`. `relevant`: some of the `n_relevant` held-out items.

    `lists`: model to the first places of its list.
    """

    user_id: str
    history: tuple[str, ...]
    n_history: int
    relevant: tuple[str, ...]
    n_relevant: int
    lists: Mapping[str, tuple[Listed, ...]]


def spread_rows(n_users: int, n: int) -> Indices:
    """Int32 (at most n,): evenly spaced rows of `n_users`."""
    return np.unique(np.linspace(0, n_users - 1, n).astype(np.int32))


def show_users(rows: Indices, cohort: Cohort, evaluations: Sequence[Evaluation], items: Items) -> list[Example]:
    """The users at `rows` of `cohort`, with the lists of `evaluations` side by side; `items` knows the titles."""
    catalogue = items.aligned(cohort.items)
    return [_show(int(row), cohort, evaluations, catalogue) for row in rows]


def list_by_id(ids: Sequence[str], row: int, cohort: Cohort, items: Items) -> tuple[Listed, ...]:
    """A list of item ids for the user at `row` of `cohort`, as `Example.lists` has it; `items` knows the titles."""
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
    """The columns of a row, largest value first."""
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
