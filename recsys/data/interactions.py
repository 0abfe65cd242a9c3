"""Interactions: the validated, immutable, dictionary-coded events of a log."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recsys.data.arrays import Floats, Indices, Seconds, read_only
from recsys.data.arrow_file import map_arrow, write_arrow
from recsys.data.id_map import IdMap
from recsys.data.loading import damage_named
from recsys.errors import DataError


@dataclass(frozen=True, eq=False)
class Interactions:
    """Columns with one row per event.

    `user_idx`, `item_idx`: int32 (n,), positions in `users` and `items`, which may hold ids that no event uses.
    `value`: float32 (n,), finite; 1 if the log has no value column.
    `timestamp`: int64 (n,), UTC seconds, or None if the log has none.
    `event`: int8 (n,), positions in `event_names`, or None if the log has none.
    The columns are read-only. Raises DataError if dtypes, lengths or positions do not match.
    """

    users: IdMap
    items: IdMap
    user_idx: Indices
    item_idx: Indices
    value: Floats
    timestamp: Seconds | None = None
    event: NDArray[np.int8] | None = None
    event_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, dtype in _DTYPES.items():
            column = getattr(self, name)
            if column is None:
                continue
            if column.shape != (len(self),) or column.dtype != dtype:
                raise DataError(
                    f"interactions.{name}: got {column.dtype} {column.shape}, expected {dtype} ({len(self)},)"
                )
            object.__setattr__(self, name, read_only(column))
        _check_range("user_idx", self.user_idx, len(self.users))
        _check_range("item_idx", self.item_idx, len(self.items))
        if self.event is not None:
            _check_range("event", self.event, len(self.event_names))
        if not np.isfinite(self.value).all():
            raise DataError("interactions.value: holds NaN or infinity, expected finite numbers")

    def __len__(self) -> int:
        return len(self.user_idx)

    def select(self, rows: NDArray[np.generic]) -> "Interactions":
        """The events at `rows` (bool (n,) or positions), over the same id maps."""
        return Interactions(
            users=self.users,
            items=self.items,
            user_idx=self.user_idx[rows],
            item_idx=self.item_idx[rows],
            value=self.value[rows],
            timestamp=None if self.timestamp is None else self.timestamp[rows],
            event=None if self.event is None else self.event[rows],
            event_names=self.event_names,
        )

    def save(self, folder: Path) -> None:
        """Write the id maps and one Arrow file of columns into `folder`, which is made if missing."""
        folder.mkdir(parents=True, exist_ok=True)
        self.users.save(folder / "users.arrow")
        self.items.save(folder / "items.arrow")
        columns = {name: getattr(self, name) for name in _DTYPES if getattr(self, name) is not None}
        table = pa.table(columns).replace_schema_metadata({"event_names": json.dumps(self.event_names)})
        write_arrow(table, folder / "events.arrow")

    @staticmethod
    def load(folder: Path) -> "Interactions":
        """Map what `save` wrote. Raises ArtifactError if it is missing or damaged."""
        path = folder / "events.arrow"
        with damage_named(path, "an Arrow file of interactions"):
            table = map_arrow(path)
            names = (table.schema.metadata or {}).get(b"event_names", b"[]")
            return Interactions(
                users=IdMap.load(folder / "users.arrow"),
                items=IdMap.load(folder / "items.arrow"),
                event_names=tuple(json.loads(names)),
                **{name: table.column(name).to_numpy() for name in table.column_names},
            )


_DTYPES = {
    "user_idx": np.dtype(np.int32),
    "item_idx": np.dtype(np.int32),
    "value": np.dtype(np.float32),
    "timestamp": np.dtype(np.int64),
    "event": np.dtype(np.int8),
}


def _check_range(name: str, column: NDArray[np.generic], size: int) -> None:
    if len(column) and (column.min() < 0 or column.max() >= size):
        raise DataError(f"interactions.{name}: positions {column.min()} to {column.max()}, expected 0 to {size - 1}")
