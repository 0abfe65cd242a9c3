"""Event files: the events of a log as prepare on Spark writes them, and chunks of them that hold whole users."""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from recsys.data.id_map import IdMap
from recsys.data.interactions import Interactions
from recsys.data.loading import damage_named
from recsys.errors import ArtifactError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_TABLE, _NAMES, _ROWS_AT_ONCE = "events.parquet", "event_names.json", 131_072

_COLUMNS = {"value": np.float32, "time": np.int64, "event": np.int8}
_FIELDS = {"value": "value", "time": "timestamp", "event": "event"}


@dataclass(frozen=True, eq=False)
class EventChunk:
    """The events of the users from `first_user` on, by user, then in the order of the log.

    `events`: over those users alone, and all items of the log. `file`, `part`: where they are.
    """

    file: int
    part: int
    first_user: int
    events: Interactions

    @property
    def stop_user(self) -> int:
        """The user after the last one."""
        return self.first_user + len(self.events.users)


@dataclass(frozen=True, eq=False)
class EventFiles:
    """The events in `folder`: Parquet in order of user, then of the log, no user in two files; and their id maps.

    Columns: `row` int64, the place in the log; `user`, `item` int32, positions in the maps; `value` float32; `time`
    int64, UTC seconds, and `event` int8, if the log has them. Users without events are in the map too.
    """

    folder: Path

    def __reduce__(self) -> tuple[Any, ...]:
        return EventFiles, (self.folder,)

    @cached_property
    def users(self) -> IdMap:
        """All users of the log, mapped."""
        return mapped_ids(self.folder / "users.arrow")

    @cached_property
    def items(self) -> IdMap:
        """All items of the log, mapped."""
        return mapped_ids(self.folder / "items.arrow")

    @cached_property
    def event_names(self) -> tuple[str, ...]:
        """The kinds of event."""
        with damage_named(self.folder / _NAMES, "the names of the kinds of event"):
            return tuple(json.loads((self.folder / _NAMES).read_text(encoding="utf-8")))

    @property
    def table(self) -> Path:
        """The folder of the Parquet files."""
        return self.folder / _TABLE

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """Those with events, in order of user."""
        return tuple(path for path in sorted(self.table.glob("*.parquet")) if _n_rows(path))

    def __len__(self) -> int:
        return sum(map(_n_rows, self.files))

    @property
    def has_times(self) -> bool:
        """Whether the log has times."""
        return bool(self.files) and "time" in pq.read_schema(self.files[0]).names

    @cached_property
    def bounds(self) -> tuple[int, ...]:
        """(n_files + 1,): file i holds the users from bounds[i] to bounds[i + 1], so that every user is in one.

        Raises ArtifactError if the files are not in order of user.
        """
        firsts = [_first_user(path) for path in self.files]
        bounds = (0, *firsts[1:], len(self.users))
        if any(one >= other for one, other in pairwise(bounds)):
            raise ArtifactError(f"{self.table}: its files are not in order of user")
        return bounds

    def read(self, spark: "SparkSession") -> "DataFrame":
        """The columns as a table of Spark."""
        return spark.read.parquet(str(self.table))

    def chunks(self, file: int, most_events: int) -> Iterator[EventChunk]:
        """The chunks of one file, each of about `most_events` or of one user. They cover all users of the file.

        Raises ArtifactError if the file is damaged, or not in order of user.
        """
        first, part = self.bounds[file], 0
        with _damage_named(self.files[file]), pq.ParquetFile(self.files[file]) as opened:
            held = list[pa.RecordBatch]()
            for batch in opened.iter_batches(_ROWS_AT_ONCE):
                held.append(batch)
                if sum(each.num_rows for each in held) < most_events:
                    continue
                table = pa.Table.from_batches(held).combine_chunks()
                last = int(table.column("user")[-1].as_py())
                whole = int(np.searchsorted(_column(table, "user"), last))
                if whole:
                    yield self._chunk(table.slice(0, whole), file, part, first, last)
                    first, part, held = last, part + 1, table.slice(whole).to_batches()
            table = pa.Table.from_batches(held)
            yield self._chunk(table, file, part, first, self.bounds[file + 1])

    def of_users(self, first: int, stop: int) -> Interactions:
        """The events of the users `first` to `stop`, over these users and all items."""
        wanted = [("user", ">=", first), ("user", "<", stop)]
        with _damage_named(self.table):
            tables = [
                pq.read_table(path, filters=wanted)
                for path, (low, high) in zip(self.files, pairwise(self.bounds), strict=True)
                if low < stop and first < high
            ]
        return self._interactions(pa.concat_tables([self.no_events, *tables]), first, stop)

    @property
    def no_events(self) -> pa.Table:
        """A table with its columns and without rows."""
        return (pq.read_schema(self.files[0]) if self.files else _EMPTY).empty_table()

    def in_log_order(self, table: pa.Table) -> Interactions:
        """The events in `table`, of these columns in any order, in the order of the log, over all users."""
        return self._interactions(table.sort_by("row"), 0, len(self.users))

    def _chunk(self, table: pa.Table, file: int, part: int, first: int, stop: int) -> EventChunk:
        user = _column(table, "user")
        if (np.diff(user) < 0).any() or user[0] < first or user[-1] >= stop:
            raise ArtifactError(f"{self.files[file]}: events are not in order of user")
        return EventChunk(file, part, first, self._interactions(table, first, stop))

    def _interactions(self, table: pa.Table, first: int, stop: int) -> Interactions:
        columns = {
            _FIELDS[name]: _column(table, name).astype(dtype, copy=False)
            for name, dtype in _COLUMNS.items()
            if name in table.column_names
        }
        return Interactions(
            users=IdMap(self.users.ids.slice(first, stop - first)),
            items=self.items,
            user_idx=_column(table, "user").astype(np.int32) - np.int32(first),
            item_idx=_column(table, "item").astype(np.int32, copy=False),
            event_names=self.event_names if "event" in columns else (),
            **columns,
        )


_EMPTY = pa.schema([("row", pa.int64()), ("user", pa.int32()), ("item", pa.int32()), ("value", pa.float32())])


def write_events(events: Interactions, folder: Path, *, n_files: int = 1) -> EventFiles:
    """Write events that are in memory in this form, as for tests and small logs."""
    table = folder / _TABLE
    table.mkdir(parents=True)
    events.users.save(folder / "users.arrow")
    events.items.save(folder / "items.arrow")
    (folder / _NAMES).write_text(json.dumps(events.event_names), encoding="utf-8")
    order = np.argsort(events.user_idx, kind="stable")
    columns: dict[str, NDArray[Any]] = {"row": order}
    columns |= {"user": events.user_idx[order], "item": events.item_idx[order]}
    for name, field in _FIELDS.items():
        if (column := getattr(events, field)) is not None:
            columns[name] = column[order]
    bounds = np.linspace(0, len(events.users), n_files + 1).astype(np.int64)
    rows = np.searchsorted(columns["user"], bounds)
    for number, (start, stop) in enumerate(pairwise(rows)):
        part = pa.table({name: column[start:stop] for name, column in columns.items()})
        pq.write_table(part, table / f"part-{number:05d}.parquet")
    return EventFiles(folder)


def mapped_ids(path: Path) -> IdMap:
    """The map in a file. Raises ArtifactError if it is missing or damaged."""
    stat = path.stat() if path.exists() else None
    return _mapped_once(path, stat and (stat.st_ino, stat.st_mtime_ns))


@lru_cache(maxsize=8)
def _mapped_once(path: Path, stamp: tuple[int, int] | None) -> IdMap:
    """One map per file in a process, because an Arrow file is checked as a whole whenever it is mapped."""
    return IdMap.load(path)


def _damage_named(path: Path) -> AbstractContextManager[None]:
    return damage_named(path, "Parquet of events, as prepare on Spark writes it")


def _n_rows(path: Path) -> int:
    with _damage_named(path):
        return int(pq.read_metadata(path).num_rows)


def _first_user(path: Path) -> int:
    with _damage_named(path), pq.ParquetFile(path) as opened:
        return int(next(opened.iter_batches(1, columns=["user"])).column(0)[0].as_py())


def _column(table: pa.Table, name: str) -> NDArray[Any]:
    column: NDArray[Any] = table.column(name).to_numpy()
    return column
