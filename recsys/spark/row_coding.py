"""Row coding: the accepted rows of one partition, which holds whole users, as events; and what is counted of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recsys.data.event_facts import newest_of_kinds
from recsys.data.interactions import Interactions
from recsys.data.log_span import HOUR, HourCounts
from recsys.data.pairs import first_of_equal_rows
from recsys.spark.accepted_rows import AT, EVENT, ITEM, PIECE, TIME, USER, VALUE
from recsys.spark.event_files import mapped_ids
from recsys.spark.id_coding import UserCoder, positions_among
from recsys.spark.id_parts import IdParts
from recsys.spark.tallies import tally
from recsys.spark.whole_files import write_parquet

PARTS, MERGED, BEFORE, AFTER, HOURS, TIMES, OF_ITEM, OF_KIND = (
    "parts", "merged", "before", "after", "hours", "times", "of item", "of kind"
)  # fmt: skip
"""Kinds of tallies. By part: events (n) and users (m). Repeated rows. Events (n) and their users (m) before and after
those of excluded items are left out. By hour: events, the oldest and the newest; TIMES: the oldest and the newest
event that is left. By item: events. By kind: events, and the newest."""


@dataclass(frozen=True)
class Coding:
    """How the rows of a part become events. `offsets`: int64, rows before each piece. `names`: kinds of event.

    `items`: Arrow file of the items' ids. `excluded`: npy file, bool (n_items,), None if no item is excluded.
    """

    items: Path
    offsets: NDArray[np.int64]
    names: tuple[str, ...]
    deduplicate: bool
    excluded: Path | None
    folder: Path

    @property
    def ids(self) -> IdParts:
        """The ids of the users of each part."""
        return IdParts(self.folder / "users")

    def part(self, number: int) -> Path:
        """The events of one part, whose users are counted from its first."""
        return self.folder / "parts" / f"part-{number:05d}.parquet"

    def write(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Write the events of one partition, and tally them."""
        from pyspark import TaskContext

        context = TaskContext.get()
        number = 0 if context is None else context.partitionId()
        events, rows = self._events(batches)
        n_rows = len(events)
        if not n_rows:
            return
        if self.deduplicate:
            first = first_of_equal_rows(events)
            events, rows = events.select(first), rows[first]
        yield tally(MERGED, 0, n_rows - len(events))
        yield from _tallied(BEFORE, events)
        if events.timestamp is not None:
            hours = HourCounts.of(events.timestamp)
            yield tally(HOURS, hours.first // HOUR, hours.count, low=hours.first, high=hours.last)
        if self.excluded is not None:
            kept = ~np.load(self.excluded, mmap_mode="r", allow_pickle=False)[events.item_idx]
            events, rows = events.select(kept), rows[kept]
        yield from _tallied(AFTER, events)
        yield from _facts(events)
        yield tally(PARTS, number, len(events), len(events.users))
        self.ids.write(number, events.users.ids)
        write_parquet(_table(events, rows), self.part(number))

    def _events(self, batches: Iterator[pa.RecordBatch]) -> tuple[Interactions, NDArray[np.int64]]:
        """The events of a partition that is sorted by user, then by piece and place; and their place in the log."""
        coder, columns = UserCoder(), list[dict[str, Any]]()
        items = mapped_ids(self.items)
        for batch in batches:
            read = {ITEM: positions_among(batch.column(ITEM), items.ids), USER: coder.codes(batch.column(USER))}
            read[AT] = self.offsets[batch.column(PIECE).to_numpy()] + batch.column(AT).to_numpy()
            for name in {TIME, VALUE} & set(batch.schema.names):
                read[name] = batch.column(name).to_numpy()
            if EVENT in batch.schema.names:
                read[EVENT] = positions_among(batch.column(EVENT), pa.array(self.names)).astype(np.int8)
            columns.append(read)
        found = {name: np.concatenate([each[name] for each in columns]) for name in columns[0]} if columns else {}
        rows = found.get(AT, np.zeros(0, np.int64))
        nothing = np.zeros(0, np.int32)
        events = Interactions(
            users=coder.ids(),
            items=items,
            user_idx=found.get(USER, nothing),
            item_idx=found.get(ITEM, nothing),
            value=found.get(VALUE, np.ones(len(rows), np.float32)),
            timestamp=found.get(TIME),
            event=found.get(EVENT),
            event_names=self.names,
        )
        return events, rows


def _tallied(kind: str, events: Interactions) -> Iterator[pa.RecordBatch]:
    yield tally(kind, 0, len(events), int(np.count_nonzero(np.bincount(events.user_idx))))


def _facts(events: Interactions) -> Iterator[pa.RecordBatch]:
    per_item = np.bincount(events.item_idx)
    used = np.flatnonzero(per_item)
    yield tally(OF_ITEM, used, per_item[used])
    if events.event is not None:
        per_kind = np.bincount(events.event, minlength=len(events.event_names))
        yield tally(OF_KIND, np.arange(len(per_kind)), per_kind, high=newest_of_kinds(events))
    if events.timestamp is not None and len(events):
        yield tally(TIMES, 0, len(events), low=events.timestamp.min(), high=events.timestamp.max())


def _table(events: Interactions, rows: NDArray[np.int64]) -> pa.Table:
    columns: dict[str, Any] = {"row": rows, "user": events.user_idx, "item": events.item_idx, "value": events.value}
    if events.timestamp is not None:
        columns["time"] = events.timestamp
    if events.event is not None:
        columns["event"] = events.event
    return pa.table(columns)
