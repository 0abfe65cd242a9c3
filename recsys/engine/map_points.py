"""MapPoints: the whole map as arrays, to be drawn: places, users and a colour per item."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recsys.data.arrays import Bools, Floats, Indices
from recsys.data.arrow_file import one_array
from recsys.data.attributes import kind_of
from recsys.data.items import TITLE, Items

MAX_POINTS = 200_000
"""The most items that are drawn, those with the most users."""

BY_USERS = "number of users"
"""The colour that every version has."""

NamePart = Callable[[int, int], str]

_VALUES, _PARTS = 7, 5
_OTHERS = "others"
_GRID = 65_535
_LONGEST = 40


@dataclass(frozen=True, eq=False)
class MapPoints:
    """The items of a map, those with the most users first.

    `places`: uint16 (n, 2), from the lower left corner (0, 0) to the upper right one. `n_users`: uint32 (n,).
    `group`: uint8 (n,), positions in `groups`, the names of the colours. `coloured_by`: an attribute, or BY_USERS.
    `attributes`: what else could be coloured by. `n_items`: items with a place, drawn or not.
    """

    model_version: str
    places: NDArray[np.uint16]
    n_users: NDArray[np.uint32]
    group: NDArray[np.uint8]
    groups: tuple[str, ...]
    coloured_by: str
    attributes: tuple[str, ...]
    n_items: int


def colourings(items: Items) -> tuple[str, ...]:
    """Attributes that items can be coloured by."""
    return tuple(name for name in items.table.column_names if name != TITLE)


def best_colouring(items: Items, rows: Indices, places: Floats) -> str:
    """The attribute of texts, lists or truth values that explains most of the places; BY_USERS if none does."""
    shares = {
        name: _explained(places, groups_of(items, rows, name)[0])
        for name in colourings(items)
        if kind_of(items.table.schema.field(name).type) in ("text", "list", "boolean")
    }
    best = max(shares, key=lambda name: shares[name], default=None)
    return BY_USERS if best is None or shares[best] < 0.01 else best


def on_grid(places: Floats) -> NDArray[np.uint16]:
    """Uint16 (n, 2) of float32 (n, 2) from -1 to 1."""
    return np.round((np.clip(places, -1, 1) + 1) / 2 * _GRID).astype(np.uint16)


def groups_by_users(n_users: NDArray[np.uint32]) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Fifths of the items by their number of users: uint8 (n,), and what each fifth has."""
    return _parts(n_users.astype(np.float64), lambda low, high: f"{n_users[low]:,} to {n_users[high]:,} users")


def groups_of(items: Items, rows: Indices, name: str) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """The groups of the items `rows`, int32 (n,), by an attribute: its seven most frequent values, or its fifths.

    Returns uint8 (n,) and names. An item with several of the values is in the group of the most frequent one.
    """
    column = one_array(items.table.column(name)).take(pa.array(rows))
    if kind_of(column.type) == "number":
        values = column.cast(pa.float64(), safe=False).fill_null(float("nan")).to_numpy(zero_copy_only=False)
        return _parts(values, lambda low, high: _between(f"{values[low]:g}", f"{values[high]:g}"))
    if kind_of(column.type) == "date":
        whole = column.cast(pa.int32() if pa.types.is_date32(column.type) else pa.int64())
        values = whole.cast(pa.float64(), safe=False).fill_null(float("nan")).to_numpy(zero_copy_only=False)
        return _parts(values, lambda low, high: _between(str(column[low])[:10], str(column[high])[:10]))
    return _values(column, len(rows))


def _values(column: pa.Array, n: int) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    if pa.types.is_list(column.type):
        at, values = pc.list_parent_indices(column).to_numpy(), pc.list_flatten(column)
    else:
        at, values = np.arange(n), column
    texts = values.cast(pa.string())
    coded = texts.dictionary_encode()
    code = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    counts = np.bincount(code[code >= 0], minlength=len(coded.dictionary))
    group = np.zeros(n, np.uint8)
    names = [_OTHERS]
    for value in np.argsort(-counts, kind="stable")[:_VALUES].tolist():
        has = np.zeros(n, np.bool_)
        has[at[code == value]] = True
        group[has & (group == 0)] = len(names)
        names.append(_shortened(coded.dictionary[value].as_py()))
    return group, tuple(names)


def _parts(values: NDArray[np.float64], name: NamePart) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Fifths, from the least to the largest; 0 for unknown values. `name`: of both ends of a part, as positions."""
    known: Bools = ~np.isnan(values)
    group, names = np.zeros(len(values), np.uint8), ["unknown"]
    bounds = np.unique(np.quantile(values[known], np.linspace(0, 1, _PARTS + 1))) if known.any() else np.zeros(0)
    place = np.clip(np.searchsorted(bounds, values, side="right"), 1, max(1, len(bounds) - 1))
    for part in range(1, max(2, len(bounds))):
        inside = np.flatnonzero(known & (place == part))
        if len(inside):
            group[inside] = len(names)
            low, high = inside[np.argmin(values[inside])], inside[np.argmax(values[inside])]
            names.append(name(int(low), int(high)))
    return group, tuple(names)


def _between(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1].rstrip()}…"


def _explained(places: Floats, group: NDArray[np.uint8]) -> float:
    """Share of the variance of the places that is between the groups (eta squared)."""
    centred = places.astype(np.float64) - places.mean(axis=0, dtype=np.float64)
    total = float((centred**2).sum())
    counts = np.maximum(np.bincount(group), 1)
    sums = np.stack([np.bincount(group, weights=centred[:, axis]) for axis in (0, 1)])
    return float((sums**2 / counts).sum()) / total if total else 0.0
