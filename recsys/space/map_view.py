"""MapView: what a drawing of the map shows: the items with the most users in groups, and a few names."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recsys.data.arrays import Bools, Floats, Indices
from recsys.data.items import TITLE
from recsys.space.clusters import Cluster
from recsys.space.items_read import ItemsRead
from recsys.space.terms import Terms

_MOST_POINTS = 3_000
_GROUPS = 5
_NAMES, _LONGEST = 8, 24
_ROOM = np.array([0.22, 0.05])
"""Share of the map's width and height that a name takes."""

_RANGE = re.compile(r"-?[\d.e+-]+( to -?[\d.e+-]+)?")
_LEAST_EXPLAINED = 0.01
OTHERS = "others"
"""The group of items with none of the values."""


@dataclass(frozen=True, eq=False)
class MapGroup:
    """Items with one colour. `name`: the value they have. `places`: float32 (n, 2)."""

    name: str
    places: Floats


@dataclass(frozen=True)
class MapName:
    """A name on the map, at the middle of what it names."""

    text: str
    x: float
    y: float


@dataclass(frozen=True, eq=False)
class MapView:
    """What a drawing shows.

    `made_by`: how the places were made, in words. `coloured_by`: the attribute of the groups, or "users".
    """

    made_by: str
    coloured_by: str
    groups: tuple[MapGroup, ...]
    names: tuple[MapName, ...]

    @property
    def n_items(self) -> int:
        """Items that are drawn."""
        return sum(len(group.places) for group in self.groups)


def view_of(
    places: Floats, read: ItemsRead, terms: Terms, clusters: Sequence[tuple[Cluster, Indices]], *, made_by: str
) -> MapView:
    """The drawing of the items that are read, the 3,000 with the most users.

    `places`: float32 (n_items, 2). `clusters`: with the positions of their items among those that are read.
    """
    shown = np.sort(np.argsort(-read.degree, kind="stable")[:_MOST_POINTS])
    here = places[read.rows]
    coloured_by, groups = _coloured(here[shown], read.degree[shown], terms.of(shown.astype(np.int32)))
    return MapView(
        made_by, coloured_by, tuple(groups), tuple(_names(here, clusters, {group.name for group in groups}))
    )


def _coloured(places: Floats, degree: Floats, terms: Terms) -> tuple[str, list[MapGroup]]:
    """The attribute whose five most frequent values explain most of the places; by number of users if none does."""
    explained = {
        name: (_explained(places, values), values) for name, values in _by_attribute(terms).items() if len(values) > 1
    }
    best = max(explained, key=lambda name: explained[name][0], default=None)
    if best is None or explained[best][0] < _LEAST_EXPLAINED:
        return "users", _by_users(places, degree)
    return best, _groups(places, explained[best][1])


def _by_attribute(terms: Terms) -> dict[str, dict[str, Bools]]:
    """By attribute: its five most frequent values, each with bool (n,), the items that have it."""
    found: dict[str, dict[str, Bools]] = defaultdict(dict)
    columns, counts = terms.members.tocsc(), terms.counts
    for at in np.argsort(-counts, kind="stable").tolist():
        name, _, value = terms.labels[at].partition(": ")
        if name != TITLE and counts[at] and len(found[name]) < _GROUPS:
            has = np.zeros(columns.shape[0], np.bool_)
            has[columns.indices[columns.indptr[at] : columns.indptr[at + 1]]] = True
            found[name][value] = has
    return dict(found)


def _explained(places: Floats, values: Mapping[str, Bools]) -> float:
    """Share of the variance of the places that is between the groups (eta squared)."""
    centred = places - places.mean(axis=0)
    total = float((centred.astype(np.float64) ** 2).sum())
    groups = (group.places - places.mean(axis=0) for group in _groups(places, values))
    between = sum(len(group) * float((group.mean(axis=0, dtype=np.float64) ** 2).sum()) for group in groups)
    return between / total if total else 0.0


def _groups(places: Floats, values: Mapping[str, Bools]) -> list[MapGroup]:
    """An item with two of the values is in the group of the more frequent one; those with none come first."""
    free = np.ones(len(places), np.bool_)
    groups = []
    for name, has in values.items():
        groups.append(MapGroup(name, places[has & free]))
        free &= ~has
    return [group for group in (MapGroup(OTHERS, places[free]), *groups) if len(group.places)]


def _by_users(places: Floats, degree: Floats) -> list[MapGroup]:
    """Thirds of the items by their number of users."""
    parts = np.array_split(np.argsort(degree, kind="stable"), 3)
    return [MapGroup(_users(degree[part]), places[part]) for part in parts if len(part)]


def _users(degree: Floats) -> str:
    return f"{degree.min():,.0f} to {degree.max():,.0f} users"


def _names(places: Floats, clusters: Sequence[tuple[Cluster, Indices]], known: Collection[str]) -> Iterator[MapName]:
    """Names of the clusters that keep together best, if there is room; none that says no more than a number.

    `known`: names of groups, which the legend has. Best: the smallest median distance from the middle.
    """
    found = []
    for cluster, rows in clusters:
        middle = np.median(places[rows], axis=0)
        spread = float(np.median(np.linalg.norm(places[rows] - middle, axis=1)))
        values = [value for term in cluster.terms if not _RANGE.fullmatch(value := term.term.partition(": ")[2])]
        if values and values[0] not in known:
            found.append((spread, values[0], middle))
    taken: list[Floats] = []
    room = _ROOM * np.ptp(places, axis=0)
    for _, name, middle in sorted(found, key=lambda each: each[0]):
        if len(taken) < _NAMES and not any((np.abs(middle - other) < room).all() for other in taken):
            taken.append(middle)
            yield MapName(name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1].rstrip()}…", *map(float, middle))
