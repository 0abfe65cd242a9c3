"""Items that more than one row of a catalogue describes."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Indices
from recsys.data.id_map import IdMap

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class RowPlaces:
    """Where rows are: `origin` is their file, `positions` int64 (n,) their lines or rows in it."""

    origin: str
    positions: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RowOf:
    """Where a row is, by its number from 0 over all `places`: its file, from the folder of all files on, and line."""

    places: Sequence[RowPlaces]

    def __call__(self, row: int) -> str:
        """Raises IndexError if no file has the row."""
        folder = os.path.commonpath([Path(each.origin).parent for each in self.places])
        for each in self.places:
            if row < len(each.positions):
                return f"{os.path.relpath(each.origin, folder or None)}:{each.positions[row]}"
            row -= len(each.positions)
        raise IndexError(f"no file has {row} more rows")


def tell_repeated(ids: IdMap, item_idx: Indices, places: Sequence[RowPlaces]) -> None:
    """Log the number of items that several rows describe, as a warning if these are few, or in several files.

    `item_idx`: int32 (n,), the item of each row. `places`: of these rows, in their order.
    """
    names = {origin: number for number, origin in enumerate(dict.fromkeys(each.origin for each in places))}
    file = np.repeat([names[each.origin] for each in places], [len(each.positions) for each in places])
    n_rows = np.bincount(item_idx, minlength=len(ids))
    if (n_rows < 2).all():
        return
    in_several = np.zeros(len(ids), np.bool_)
    first_file = np.full(len(ids), -1, np.int64)
    first_file[item_idx[::-1]] = file[::-1]
    in_several[item_idx[file != first_file[item_idx]]] = True
    told = np.flatnonzero(in_several if in_several.any() else n_rows > 1)
    first, other = _two_rows(item_idx, file, int(told[0]))
    positions = np.concatenate([each.positions for each in places])
    shown = [f"{list(names)[file[row]]}:{positions[row]}" for row in (first, other)]
    # If most items have several rows, the catalogue is the log itself, or a table of variants.
    few = np.count_nonzero(n_rows > 1) <= len(ids) / 2
    logger.log(
        logging.WARNING if in_several.any() or few else logging.INFO,
        "%d of %d items are in more than one %s, such as %s in %s and %s; per column, the first value counts",
        len(told),
        len(ids),
        "file" if in_several.any() else "row",
        next(iter(ids.decode([int(told[0])]))),
        *shown,
    )


def _two_rows(item_idx: Indices, file: NDArray[np.int64], item: int) -> tuple[int, int]:
    """The first row of an item, and the next one that is in another file, if there is one."""
    rows = np.flatnonzero(item_idx == item)
    elsewhere = rows[file[rows] != file[rows[0]]]
    return int(rows[0]), int(elsewhere[0] if len(elsewhere) else rows[1])
