"""Assembly: the accepted rows of all batches become one Interactions."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recsys.data.arrays import Indices
from recsys.data.distinct_texts import dictionary_coded
from recsys.data.id_map import IdMap
from recsys.data.ingest.row_checks import CheckedRows
from recsys.data.interactions import Interactions
from recsys.errors import DataError

_BLOCK_CODES = 1 << 20

_MAX_KINDS = 127
"""Each event has an int8 code; a column with more distinct values is probably not one of kinds."""


class InteractionsBuilder:
    """Collects batches: 4 or 8 bytes per row for each of codes, times and values, and every distinct id once."""

    def __init__(self) -> None:
        self._users, self._items, self._events = Vocabulary(), Vocabulary(), Vocabulary()
        self._times, self._values = GrowingArray(np.int64), GrowingArray(np.float32)
        self._has_events = False
        self.n_rows = 0

    def add(self, rows: CheckedRows) -> None:
        """Add the next batch. Raises DataError if it has too many kinds of event."""
        self.n_rows += len(rows.users)
        self._users.add(rows.users)
        self._items.add(rows.items)
        if rows.times is not None:
            self._times.append(rows.times)
        if rows.values is not None:
            self._values.append(rows.values)
        if rows.events is not None:
            check_kinds(rows.events)
            self._has_events = True
            self._events.add(rows.events)

    def finish(self) -> Interactions:
        """All rows in order; the builder is empty afterwards. Raises DataError for too many kinds of event."""
        users, user_idx = self._users.finish()
        items, item_idx = self._items.finish()
        kinds, event = self._events.finish()
        check_n_kinds(kinds.to_pylist())
        return Interactions(
            users=IdMap(users),
            items=IdMap(items),
            user_idx=user_idx,
            item_idx=item_idx,
            value=self._values.finish() if len(self._values) else np.ones(self.n_rows, np.float32),
            timestamp=self._times.finish() if len(self._times) else None,
            event=event.astype(np.int8) if self._has_events else None,
            event_names=tuple(kinds.to_pylist()),
        )


def check_kinds(events: pa.DictionaryArray) -> None:
    """Fail at the first batch with too many kinds, not after the whole log."""
    if len(events.dictionary) > _MAX_KINDS:
        used = np.unique(events.indices.to_numpy())
        check_n_kinds([name.decode() for name in events.dictionary.take(used[: _MAX_KINDS + 1]).to_pylist()])


def check_n_kinds(kinds: list[str]) -> None:
    """Raise DataError if so many kinds of event are too many."""
    if len(kinds) > _MAX_KINDS:
        shown = ", ".join(repr(kind) for kind in kinds[:3])
        raise DataError(
            f"log.event: the column holds more than {_MAX_KINDS} kinds of event, such as {shown}; "
            "it is probably not the column that says what kind an event is"
        )


class Vocabulary:
    """The distinct ids of a column, and the number of each row's id, from dictionary-coded batches.

    Pending batches are merged once their dictionaries hold more ids than the merged one and `merge_from`, so that
    each id is hashed only a few times, and pending dictionaries never take more memory than the merged one.
    """

    def __init__(self, merge_from: int = 1 << 20) -> None:
        self._merge_from = merge_from
        self._known = pa.array([], pa.binary())
        self._codes = GrowingArray(np.int32)
        self._pending: list[pa.DictionaryArray] = []
        self._n_pending = 0

    def add(self, ids: pa.DictionaryArray) -> None:
        """Add the next batch: (n,) of int32 and binary, without nulls."""
        self._pending.append(ids)
        self._n_pending += len(ids.dictionary)
        if self._n_pending > max(self._merge_from, len(self._known)):
            self._merge()

    def _merge(self) -> None:
        # The known ids come first, so that they keep their numbers.
        every = dictionary_coded(pa.concat_arrays([self._known, *(each.dictionary for each in self._pending)]))
        numbers, at = every.indices.to_numpy(), len(self._known)
        for each in self._pending:
            self._codes.append(numbers[at : (at := at + len(each.dictionary))][each.indices.to_numpy()])
        self._known = every.dictionary
        self._pending, self._n_pending = [], 0

    def finish(self) -> tuple[pa.StringArray, Indices]:
        """The ids that occur in rows, sorted by their bytes: (k,), and the position of each row's id: int32 (n,).

        The vocabulary is empty afterwards.
        """
        self._merge()
        codes = self._codes.finish()
        used = np.flatnonzero(_is_used(codes, len(self._known)))
        ids = self._known.take(pa.array(used))
        order = pc.sort_indices(ids)
        rank = np.empty(len(self._known), np.int32)
        rank[used[order.to_numpy()]] = np.arange(len(used), dtype=np.int32)
        self._known = pa.array([], pa.binary())
        for part in _blocks(codes):
            part[:] = rank[part]
        return ids.take(order).cast(pa.string()), codes


def _is_used(codes: Indices, n_known: int) -> NDArray[np.bool_]:
    used = np.zeros(n_known, np.bool_)
    for part in _blocks(codes):
        used[part] = True
    return used


def _blocks(codes: Indices) -> Iterator[Indices]:
    """The codes in blocks, so that intermediate results take little memory."""
    return (codes[start : start + _BLOCK_CODES] for start in range(0, len(codes), _BLOCK_CODES))


class GrowingArray:
    """An array that grows as batches are appended, so that no batches are concatenated at the end.

    It grows by a quarter, which moves no data if the system can extend a large allocation in place, as Linux does.
    """

    def __init__(self, dtype: Any) -> None:
        self._array: NDArray[Any] = np.empty(0, dtype)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def append(self, block: NDArray[Any]) -> None:
        """Add a batch at the end, converted to the column's dtype."""
        end = self._size + len(block)
        if end > len(self._array):
            self._array.resize(max(end, int(len(self._array) * 1.25)), refcheck=False)
        self._array[self._size : end] = block
        self._size = end

    def finish(self) -> NDArray[Any]:
        """The array; the GrowingArray is empty afterwards."""
        self._array.resize(self._size, refcheck=False)
        finished, self._array, self._size = self._array, np.empty(0, self._array.dtype), 0
        return finished
