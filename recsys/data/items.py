"""Items: titles and attributes of items."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.data.arrays import Indices
from recsys.data.arrow_file import TextColumn, map_arrow, one_array, write_arrow
from recsys.data.arrow_values import positions_array
from recsys.data.attributes import AttributeFacts, Kind, as_plain, facts_in, kind_of
from recsys.data.id_map import IdMap
from recsys.data.loading import damage_named
from recsys.errors import DataError

TITLE = "title"
"""The column of `Items.table` that holds titles, if there are any."""


@dataclass(frozen=True, eq=False)
class Items:
    """Titles and attributes of the items of one map.

    `table`: pyarrow Table, row i belongs to `ids` position i; column "title" (string) if titles are known,
    then one column per attribute: string, int64, float64, bool, date32, timestamp (microseconds, UTC) or a list of
    strings. A null means unknown. `list_up_to`: up to this many titles are also kept as
    strings, about 100 bytes each. Raises DataError if the lengths differ.
    """

    ids: IdMap
    table: pa.Table
    list_up_to: int = 100_000

    def __post_init__(self) -> None:
        if len(self.ids) != self.table.num_rows:
            raise DataError(f"items: {self.table.num_rows} rows for {len(self.ids)} ids")

    @cached_property
    def _titles(self) -> Sequence[str | None] | None:
        """A list if there are few items, because its look-ups are faster; else the mapped column."""
        if TITLE not in self.table.column_names:
            return None
        titles = TextColumn(one_array(self.table.column(TITLE).cast(pa.string())))
        return titles[:] if len(titles) <= self.list_up_to else titles

    @staticmethod
    def without_attributes(ids: IdMap) -> "Items":
        """Items of which only the ids are known."""
        return Items(ids, pa.table({TITLE: pa.nulls(len(ids), pa.string())}))

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """The kind of every column of `table`."""
        return {field.name: kind_of(field.type) for field in self.table.schema}

    @property
    def facts(self) -> Mapping[str, AttributeFacts]:
        """By attribute, how it was read from the catalogue; empty for items of a version that keeps no facts."""
        return facts_in(self.table)

    def title(self, position: int) -> str | None:
        """The title of one item, None if it is unknown."""
        return None if self._titles is None else self._titles[position]

    def titles(self, positions: Sequence[int]) -> list[str | None]:
        """The title of each item at `positions`, None if it is unknown."""
        titles = self._titles
        return [None] * len(positions) if titles is None else [titles[position] for position in positions]

    def attributes(self, position: int, names: Sequence[str] | None = None) -> dict[str, Any]:
        """Every known attribute of one item but the title, as JSON holds it: dates are ISO 8601 text.

        `names`: only those of these names.
        """
        wanted = [name for name in self.table.column_names if names is None or name in names]
        row = {name: as_plain(self.table.column(name)[position].as_py()) for name in wanted}
        return {name: value for name, value in row.items() if name != TITLE and value is not None}

    def with_values(self, values: Mapping[str, tuple[Indices, pa.Array]]) -> "Items":
        """The same items with other values in some columns; the columns that stay are shared.

        `values`: by column, positions int32 (m,), each once, and what stands there now, (m,), of the column's type.
        """
        table = self.table
        for name, (positions, told) in values.items():
            at = table.schema.get_field_index(name)
            table = table.set_column(at, table.schema.field(at), _replaced(table.column(name), positions, told))
        changed = Items(self.ids, table, self.list_up_to)
        if TITLE not in values and "_titles" in vars(self):
            vars(changed)["_titles"] = self._titles
        return changed

    def some(self, positions: Indices) -> "Items":
        """The items at `positions`, int32 (m,), ascending, alone."""
        at = positions_array(positions)
        return Items(IdMap(self.ids.ids.take(at)), self.table.take(at))

    def aligned(self, ids: IdMap) -> "Items":
        """Titles and attributes for the items of another map; unknown ids get nulls."""
        positions = pc.index_in(ids.ids, value_set=self.ids.ids)
        return Items(ids, self.table.take(positions))

    def save(self, path: Path) -> None:
        """Write the table as an Arrow IPC file; the id map is saved separately."""
        write_arrow(self.table, path)

    @staticmethod
    def load(path: Path, ids: IdMap) -> "Items":
        """Map what `save` wrote for the items of `ids`. Raises ArtifactError if it is missing or damaged."""
        with damage_named(path, f"an Arrow file of {len(ids)} items"):
            return Items(ids, map_arrow(path))


def _replaced(column: pa.ChunkedArray, positions: Indices, told: pa.Array) -> pa.Array:
    both = pa.chunked_array([*column.chunks, told], column.type).combine_chunks()
    both = both.chunk(0) if isinstance(both, pa.ChunkedArray) else both
    place = np.arange(len(column), dtype=np.int64)
    place[positions] = len(column) + np.arange(len(positions))
    return both.take(positions_array(place))
