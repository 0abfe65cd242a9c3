"""Vocabulary: the distinct ids of a log and every row's number in it, grown block by block."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recsys.data.arrays import Indices
from recsys.data.ingest.growing import Growing

_SETTLE_FROM = 1 << 20
_PART = 1 << 20


class Vocabulary:
    """Collects dictionary-coded blocks and numbers their distinct ids once for all blocks.

    Waiting blocks are merged when their dictionaries have outgrown what is known, so that every id is hashed a few
    times at most and the dictionaries that wait never take more room than those that are merged.
    """

    def __init__(self) -> None:
        self._known = pa.array([], pa.binary())
        self._codes = Growing(np.int32)
        self._waiting: list[Any] = []
        self._n_waiting = 0

    def add(self, ids: Any) -> None:
        """Take the next block: pyarrow DictionaryArray (n,) of int32 and binary, without nulls."""
        self._waiting.append(ids)
        self._n_waiting += len(ids.dictionary)
        if self._n_waiting > max(_SETTLE_FROM, len(self._known)):
            self._settle()

    def _settle(self) -> None:
        # The known ids stand first, so that they keep their numbers.
        nothing = pa.DictionaryArray.from_arrays(pa.array([], pa.int32()), self._known)
        merged = pa.chunked_array([nothing, *self._waiting]).unify_dictionaries()
        self._known = merged.chunk(0).dictionary
        for chunk in merged.chunks[1:]:
            self._codes.append(chunk.indices.to_numpy())
        self._waiting, self._n_waiting = [], 0

    def finish(self) -> tuple[Any, Indices]:
        """The ids that rows use, sorted by their bytes, and each row's place among them; leaves this one empty.

        Returns pyarrow StringArray (k,) and int32 (n,).
        """
        self._settle()
        codes = self._codes.finish()
        used = np.flatnonzero(_is_used(codes, len(self._known)))
        ids = self._known.take(pa.array(used))
        order = pc.sort_indices(ids)
        rank = np.empty(len(self._known), np.int32)
        rank[used[order.to_numpy()]] = np.arange(len(used), dtype=np.int32)
        self._known = pa.array([], pa.binary())
        for part in _parts(codes):
            part[:] = rank[part]
        return ids.take(order).cast(pa.string()), codes


def _is_used(codes: Indices, n_known: int) -> NDArray[np.bool_]:
    used = np.zeros(n_known, np.bool_)
    for part in _parts(codes):
        used[part] = True
    return used


def _parts(codes: Indices) -> Iterator[Indices]:
    """The codes piece by piece, so that what is computed of them takes little room."""
    return (codes[start : start + _PART] for start in range(0, len(codes), _PART))
