"""Updates of items of a version: values that take the place of those of its catalogue while it serves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recsys.data.arrays import Indices
from recsys.data.arrow_values import array_of
from recsys.data.items import TITLE, Items
from recsys.engine.ids import check_kept_id
from recsys.engine.posted import check_attributes, typed_value
from recsys.errors import InvalidRequestError

MAX_UPDATES = 10_000
"""The most items of one request."""


@dataclass(frozen=True)
class ItemUpdate:
    """New values of one item, by attribute, as JSON holds them; None removes one, what is not named stays.

    The title goes by "title".
    """

    item_id: str
    values: Mapping[str, object]


@dataclass(frozen=True, eq=False)
class UpdatedItems:
    """Items after some updates. `positions`: int32 (m,), ascending, what changed in any of `columns`."""

    items: Items
    positions: Indices
    columns: frozenset[str]


def check_update(update: ItemUpdate, items: Items) -> None:
    """Raise InvalidRequestError unless its values are of attributes of `items`, of their kinds and within bounds."""
    check_kept_id(update.item_id, "item_id")
    if TITLE in update.values:
        if TITLE not in items.table.column_names:
            raise InvalidRequestError("title: this version's items have no titles")
        typed_value(update.values[TITLE], items.table.schema.field(TITLE).type, TITLE)
    check_attributes({name: value for name, value in update.values.items() if name != TITLE}, items)


def updated(items: Items, updates: Sequence[ItemUpdate]) -> UpdatedItems:
    """`items` after `updates`, the later ones last. What does not fit them, or is of other items, is left out."""
    told: dict[str, dict[int, object]] = {}
    for update in updates:
        if (position := items.ids.position(update.item_id)) is not None:
            for name, value in _fitting(update, items):
                told.setdefault(name, {})[position] = value
    values = {}
    for name, of_items in told.items():
        column = items.table.schema.field(name).type
        values[name] = np.fromiter(of_items, np.int32, len(of_items)), array_of([*of_items.values()], column)
    changed = np.unique(np.concatenate([where for where, _ in values.values()])) if values else _NONE
    return UpdatedItems(items.with_values(values), changed, frozenset(values))


def _fitting(update: ItemUpdate, items: Items) -> list[tuple[str, object]]:
    """Its values as the columns of `items` hold them, those that fit."""
    found = []
    for name, value in update.values.items():
        if name in items.table.column_names:
            try:
                found.append((name, typed_value(value, items.table.schema.field(name).type, name)))
            except InvalidRequestError:
                continue
    return found


_NONE = np.zeros(0, np.int32)
