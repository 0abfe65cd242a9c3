"""Double logging: rows alike in user, item, event and time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.data.interactions import Interactions

_ODD = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(32)


def first_of_alike(events: Interactions) -> NDArray[np.bool_]:
    """bool (n,): False for a row that repeats an earlier one in user, item, event and time, where the log has these.

    Sorts one 64-bit mark a row instead of the columns. Rows with equal marks are compared, so the answer is exact.
    """
    columns = [events.user_idx, events.item_idx, events.timestamp, events.event]
    present = [column for column in columns if column is not None]
    marks = _marks(present)
    order = np.argsort(marks, kind="stable")
    candidates = _equal_neighbours(marks[order])
    repeats = _repeats(present, order, candidates)
    if not repeats.all():
        # Different rows share a mark, and may stand between rows that are alike: sort by the columns themselves.
        order = np.lexsort(present)
        candidates = np.arange(len(order) - 1)
        repeats = _repeats(present, order, candidates)
    first = np.ones(len(events), np.bool_)
    first[order[candidates[repeats] + 1]] = False
    return first


def _marks(columns: Sequence[NDArray[Any]]) -> NDArray[np.uint64]:
    """uint64 (n,): equal for rows that are alike, and hardly ever for others."""
    marks = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        marks ^= column.astype(np.uint64)
        marks *= _ODD
        marks ^= marks >> _SHIFT
    return marks


def _equal_neighbours(ordered: NDArray[np.uint64]) -> NDArray[np.intp]:
    return np.flatnonzero(ordered[1:] == ordered[:-1])


def _repeats(
    columns: Sequence[NDArray[Any]], order: NDArray[np.intp], candidates: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """bool (len(candidates),): whether the row at each place in `order` and the next are alike."""
    alike = np.ones(len(candidates), np.bool_)
    for column in columns:
        alike &= column[order[candidates]] == column[order[candidates + 1]]
    return alike
