"""The map of a version's items, in pages: the items with the most users first."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import Self

import numpy as np

from recsys.artifacts.bundle import Bundle
from recsys.data.arrays import Indices
from recsys.engine.answers import check_fields
from recsys.engine.map_points import (
    BY_USERS,
    MAX_POINTS,
    MapPoints,
    best_colouring,
    colourings,
    groups_by_users,
    groups_of,
    on_grid,
)
from recsys.errors import InvalidRequestError

MAX_PLACES = 5_000
"""The longest page."""

MAX_OFFSET = 100_000_000

NO_MAP = "this version has no map of its items; publish.map makes one"


@dataclass(frozen=True)
class Place:
    """Where one item is: within a circle of radius one. `attributes`: those asked for and known; None if none was."""

    item_id: str
    x: float
    y: float
    title: str | None = None
    attributes: Mapping[str, object] | None = None


@dataclass(frozen=True)
class MapPage:
    """A page of the map. `n_items`: items with a place, on all pages. `warnings`: why there is none."""

    model_version: str
    items: tuple[Place, ...]
    n_items: int
    warnings: tuple[str, ...] = ()


class ItemMap:
    """The places of a bundle's items, ordered by their number of users, equals by position."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    def over(self, bundle: Bundle) -> Self:
        """The same places, with other titles and attributes of the items."""
        changed = copy(self)
        changed._bundle = bundle
        return changed

    @cached_property
    def _order(self) -> Indices:
        places, degree = self._bundle.map, self._bundle.model.item_degree
        if places is None:
            return np.zeros(0, np.int32)
        known = np.flatnonzero(~np.isnan(places[:, 0])).astype(np.int32)
        return known[np.argsort(-degree[known], kind="stable")]

    def page(self, *, limit: int, offset: int, fields: Sequence[str]) -> MapPage:
        """`limit` items from place `offset` on.

        `fields`: attributes to list with each. Raises InvalidRequestError for a limit outside 1 to 5,000, an offset
        below zero, or an unknown attribute.
        """
        limit = _checked(limit, "limit", 1, MAX_PLACES)
        offset = _checked(offset, "offset", 0, MAX_OFFSET)
        check_fields(fields, self._bundle.items)
        rows = self._order[offset : offset + limit].tolist()
        warnings = (NO_MAP,) if self._bundle.map is None else ()
        version = self._bundle.manifest.version
        return MapPage(version, tuple(self._place(row, fields) for row in rows), len(self._order), warnings)

    def points(self, by: str | None = None) -> MapPoints:
        """All items as they are drawn, coloured by an attribute, BY_USERS, or what explains most of the places.

        Items are in the order of `page`; those beyond MAX_POINTS are left out. Raises InvalidRequestError for an
        unknown attribute.
        """
        items, rows = self._bundle.items, self._order[:MAX_POINTS]
        places = np.zeros((0, 2), np.float32) if self._bundle.map is None else self._bundle.map[rows]
        n_users = self._bundle.model.item_degree[rows].astype(np.uint32)
        by = by or (best_colouring(items, rows, places) if len(rows) else BY_USERS)
        if by != BY_USERS:
            check_fields((by,), items)
        group, names = groups_by_users(n_users) if by == BY_USERS else groups_of(items, rows, by)
        version, others = self._bundle.manifest.version, (BY_USERS, *colourings(items))
        return MapPoints(version, on_grid(places), n_users, group, names, by, others, len(self._order))

    def numbers(self, item_ids: Sequence[str]) -> list[int | None]:
        """By item: its number among `points`, None if it has none."""
        positions = [self._bundle.items.ids.position(item_id) for item_id in item_ids]
        return [None if at is None or self._number[at] < 0 else int(self._number[at]) for at in positions]

    def ids(self, numbers: Sequence[int]) -> list[str]:
        """The items of these numbers among `points`; those that there are not are left out."""
        known = [int(self._order[number]) for number in numbers if 0 <= number < len(self._order)]
        return self._bundle.items.ids.decode(known)

    @cached_property
    def _number(self) -> Indices:
        """Int32 (n_items,): the place of every item in `_order`, -1 if it has none."""
        number = np.full(len(self._bundle.items.ids), -1, np.int32)
        number[self._order] = np.arange(len(self._order), dtype=np.int32)
        return number

    def _place(self, row: int, fields: Sequence[str]) -> Place:
        items, places = self._bundle.items, self._bundle.map
        x, y = (0.0, 0.0) if places is None else map(float, places[row])
        attributes = items.attributes(row, fields) if fields else None
        return Place(items.ids.id_at(row), x, y, items.title(row), attributes)


def _checked(value: int, name: str, low: int, high: int) -> int:
    if not isinstance(value, Integral) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidRequestError(f"{name}: expected a whole number from {low} to {high}")
    return int(value)
