"""External ids (strings) to dense positions and back."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recsys.data.arrays import Indices
from recsys.data.arrow_file import TextColumn, map_arrow, one_array, write_arrow
from recsys.data.loading import damage_named
from recsys.errors import ArtifactError, DataError

# For fewer ids, binary search in the mapped bytes is faster than building a hash table of the whole map.
_HASH_FROM = 2_000


@dataclass(frozen=True, eq=False)
class IdMap:
    """Unique external ids in the order of their UTF-8 bytes; a position is an id's rank in that order.

    Sorted ids need no hash table: a look-up is a binary search in the bytes of the file, so a map of ten million
    ids is ready as soon as it is mapped into memory; only a small one is copied. Build one with `of`.
    """

    ids: pa.StringArray
    """(n,), sorted, unique, no nulls."""

    list_up_to: int = 100_000
    """Up to this many ids are also kept as strings, about 100 bytes each; of a larger map, evenly spaced samples."""

    samples: int = 16_384
    """The number of these samples."""

    @staticmethod
    def of(ids: pa.Array | Iterable[str]) -> tuple["IdMap", Indices]:
        """The map of `ids` (strings, or a pyarrow string array; unique or not), and the position of each in it.

        Returns the map and positions: int32 (len(ids),). Raises DataError for a null.
        """
        column = ids.cast(pa.string()) if isinstance(ids, pa.Array) else pa.array(list(ids), pa.string())
        if column.null_count:
            raise DataError(f"{column.null_count} ids are null; every id must be a string")
        encoded = column.dictionary_encode()
        order = pc.sort_indices(encoded.dictionary).to_numpy().astype(np.int64)
        rank = np.empty(len(order), np.int32)
        rank[order] = np.arange(len(order), dtype=np.int32)
        return IdMap(encoded.dictionary.take(pa.array(order))), rank[encoded.indices.to_numpy()]

    @cached_property
    def _strings(self) -> Sequence[str]:
        column = TextColumn(self.ids)
        return column[:] if len(column) <= self.list_up_to else column

    @cached_property
    def _stride(self) -> int:
        return 1 if len(self) <= self.list_up_to else max(1, -(-len(self) // self.samples))

    @cached_property
    def _sampled(self) -> Sequence[str]:
        """Every `_stride`-th id, which narrows the range of the binary search."""
        return self._strings if self._stride == 1 else self._strings[:: self._stride]

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        first = ", ".join(map(repr, self.ids[:3].to_pylist()))
        return f"IdMap({len(self):,} ids: {first}{', ...' if len(self) > 3 else ''})"

    def __contains__(self, external_id: object) -> bool:
        """Whether the map knows the id."""
        return isinstance(external_id, str) and self.position(external_id) is not None

    def position(self, external_id: str) -> int | None:
        """The position of one id, or None if it is unknown."""
        # Strings are compared by code point, which is the order of their bytes in UTF-8.
        first = max(0, (bisect_right(self._sampled, external_id) - 1) * self._stride)
        at = bisect_left(self._strings, external_id, first, min(len(self), first + self._stride))
        return at if at < len(self) and self._strings[at] == external_id else None

    def starting_with(self, prefix: str) -> range:
        """The positions of the ids that begin with `prefix`: all if it is empty."""
        first, last = bisect_left(self._strings, prefix), len(self)
        if prefix:
            last = bisect_right(self._strings, prefix, first, key=lambda known: known[: len(prefix)])
        return range(first, last)

    def encode(
        self, external_ids: pa.Array | pa.ChunkedArray | Sequence[str], *, hash_from: int = _HASH_FROM
    ) -> tuple[Indices, NDArray[np.bool_]]:
        """Positions of many ids (strings, or a pyarrow string array (n,)).

        Returns the positions of the known ids: int32 (n_known,), in the order given, and bool (n,): whether each id
        is known. From `hash_from` ids on, they are looked up by hash.
        """
        is_column = isinstance(external_ids, pa.Array | pa.ChunkedArray)
        if not is_column and len(external_ids) < hash_from:
            found = [self.position(external_id) for external_id in external_ids]
            known = np.array([at is not None for at in found], np.bool_)
            return np.array([at for at in found if at is not None], np.int32), known
        column = external_ids if is_column else pa.array(external_ids, pa.string())
        at = pc.index_in(column, value_set=self.ids)
        return at.drop_null().to_numpy().astype(np.int32, copy=False), np.asarray(pc.is_valid(at), np.bool_)

    def lookup(self, other: "IdMap") -> tuple[Indices, NDArray[np.bool_]]:
        """The position here of each id of `other`: int32 (n,), valid only if the second array, bool (n,), is true."""
        positions, known = self.encode(other.ids)
        at = np.zeros(len(other), np.int32)
        at[known] = positions
        return at, known

    def id_at(self, position: int) -> str:
        """The id at one position. Raises IndexError outside the map, for negative positions too."""
        if not 0 <= position < len(self._strings):
            raise IndexError(f"position {position} is outside a map of {len(self)} ids")
        return self._strings[position]

    def decode(self, positions: Iterable[int]) -> list[str]:
        """The ids at `positions`. Raises IndexError outside the map, for negative positions too."""
        strings, n = self._strings, len(self)
        at = list(positions)
        if at and not 0 <= min(at) <= max(at) < n:
            return [self.id_at(position) for position in at]  # which says which one it is
        return [strings[position] for position in at]

    def union(self, other: "IdMap") -> "IdMap":
        """The map of the ids of both; this map itself if `other` adds none."""
        new = pc.invert(pc.is_in(other.ids, value_set=self.ids))
        if not pc.any(new).as_py():
            return self
        return IdMap.of(pa.concat_arrays([self.ids, other.ids.filter(new)]))[0]

    def take(self, positions: Indices) -> "IdMap":
        """The map of a subset; `positions`: int32 (n,). Raises DataError unless they strictly increase."""
        if len(positions) > 1 and not bool((np.diff(positions) > 0).all()):
            raise DataError("a subset of an id map must be taken in increasing order, each position once")
        return IdMap(self.ids.take(pa.array(positions)))

    def save(self, path: Path) -> None:
        """Write the map as an Arrow IPC file of one string column."""
        write_arrow(pa.table({"id": self.ids}), path)

    @staticmethod
    def load(path: Path) -> "IdMap":
        """Map a file written by `save` into memory. Raises ArtifactError if it is not one."""
        with damage_named(path, "an Arrow file with a column 'id'"):
            column = map_arrow(path).column("id")
        if column.type != pa.string() or column.null_count:
            raise ArtifactError(f"{path}: column 'id' is {column.type}, expected strings without nulls")
        return IdMap(one_array(column))
