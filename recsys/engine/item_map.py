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

    def _place(self, row: int, fields: Sequence[str]) -> Place:
        items, places = self._bundle.items, self._bundle.map
        x, y = (0.0, 0.0) if places is None else map(float, places[row])
        attributes = items.attributes(row, fields) if fields else None
        return Place(items.ids.id_at(row), x, y, items.title(row), attributes)


def _checked(value: int, name: str, low: int, high: int) -> int:
    if not isinstance(value, Integral) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidRequestError(f"{name}: expected a whole number from {low} to {high}")
    return int(value)
