"""Items: what is known of an item beside who used it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from recsys.data.id_map import IdMap
from recsys.data.text_column import TextColumn
from recsys.errors import ArtifactError, DataError

TITLE = "title"
"""The column of `Items.table` that holds titles, where there are any."""

# Up to so many titles are kept as strings besides, some 100 bytes each.
_LISTED_UP_TO = 100_000


@dataclass(frozen=True, eq=False)
class Items:
    """Titles and attributes of the items of one map.

    `table`: pyarrow Table, row i belongs to `ids` position i; column "title" (string) where titles are known,
    then one column an attribute. A null means unknown. Raises DataError where the lengths differ.
    """

    ids: IdMap
    table: Any

    def __post_init__(self) -> None:
        if len(self.ids) != self.table.num_rows:
            raise DataError(f"items: {self.table.num_rows} rows for {len(self.ids)} ids")

    @cached_property
    def _titles(self) -> Sequence[str | None] | None:
        """Of few items a list, which is quicker to look into; of many the mapped column."""
        if TITLE not in self.table.column_names:
            return None
        column = self.table.column(TITLE).cast(pa.string())
        titles = TextColumn(column.chunk(0) if column.num_chunks == 1 else column.combine_chunks())  # which copies
        return titles[:] if len(titles) <= _LISTED_UP_TO else titles

    @staticmethod
    def without_attributes(ids: IdMap) -> "Items":
        """Items of which nothing but the id is known."""
        return Items(ids, pa.table({TITLE: pa.nulls(len(ids), pa.string())}))

    def title(self, position: int) -> str | None:
        """The title of one item, None where it is unknown."""
        return None if self._titles is None else self._titles[position]

    def attributes(self, position: int) -> dict[str, Any]:
        """Every known attribute of one item but the title."""
        row = {name: self.table.column(name)[position].as_py() for name in self.table.column_names}
        return {name: value for name, value in row.items() if name != TITLE and value is not None}

    def aligned(self, ids: IdMap) -> "Items":
        """The same knowledge for the items of another map; unknown ids get nulls."""
        positions = pc.index_in(ids.ids, value_set=self.ids.ids)
        return Items(ids, self.table.take(positions))

    def save(self, path: Path) -> None:
        """Write the table as an Arrow IPC file; the id map is saved by itself."""
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, self.table.schema) as writer:
            writer.write_table(self.table)

    @staticmethod
    def load(path: Path, ids: IdMap) -> "Items":
        """Map what `save` wrote for the items of `ids`. Raises ArtifactError where it is not that."""
        try:
            return Items(ids, pa.ipc.open_file(pa.memory_map(str(path))).read_all())
        except (pa.ArrowException, OSError, DataError) as error:
            raise ArtifactError(f"{path}: expected an Arrow file of {len(ids)} items: {error}") from error
