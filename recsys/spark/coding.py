"""Coding: accepted rows become events, whose users and items are positions in the order of the bytes of their ids.

One shuffle puts the rows in the order of users. A part of it holds whole users, so their ids need not meet: the
position of a user is its place in its part, after those of the parts before. Items, of which the driver holds all
ids, are looked up.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from recsys.data.event_facts import events_after, newest_of_kinds
from recsys.data.id_map import IdMap
from recsys.data.interactions import Interactions
from recsys.data.log_span import HOUR, HourCounts
from recsys.data.pairs import first_of_equal_rows
from recsys.errors import DataError
from recsys.spark.accepted_rows import AT, EVENT, ITEM, PIECE, TIME, USER, VALUE, AcceptedRows
from recsys.spark.event_files import EventFiles, mapped_ids
from recsys.spark.failures import named_failures
from recsys.spark.id_parts import IdParts
from recsys.spark.reading import ReadPieces
from recsys.spark.row_parts import MOST
from recsys.spark.tallies import Counts, Tallies, tally, tally_rows, tally_tasks
from recsys.spark.whole_files import write_parquet

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PARTS, MERGED, BEFORE, AFTER, HOURS, TIMES, OF_ITEM, OF_KIND = (
    "parts", "merged", "before", "after", "hours", "times", "of item", "of kind"
)  # fmt: skip
"""Kinds of tallies. By part: events (n) and users (m). Repeated rows. Events (n) and their users (m) before and after
those of excluded items are left out. By hour: events, the oldest and the newest; TIMES: the oldest and the newest
event that is left. By item: events. By kind: events, and the newest."""

SINCE, BETWEEN = "since", "between"
"""By threshold: events after it; by kind: events after its newest one."""

_FEWEST = 250_000
"""Events of a part, if there are more."""


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
        coder, columns = _UserCoder(), list[dict[str, Any]]()
        items = mapped_ids(self.items)
        for batch in batches:
            read = {ITEM: _positions(batch.column(ITEM), items.ids), USER: coder.codes(batch.column(USER))}
            read[AT] = self.offsets[batch.column(PIECE).to_numpy()] + batch.column(AT).to_numpy()
            for name in {TIME, VALUE} & set(batch.schema.names):
                read[name] = batch.column(name).to_numpy()
            if EVENT in batch.schema.names:
                read[EVENT] = _positions(batch.column(EVENT), pa.array(self.names)).astype(np.int8)
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


class _UserCoder:
    """Numbers users that come in order, from 0."""

    def __init__(self) -> None:
        self._parts = list[pa.Array]()
        self._n, self._last = 0, None

    def codes(self, ids: pa.Array) -> NDArray[np.int32]:
        """int32 (n,): of the next users, equal ones next to each other."""
        coded = ids.cast(pa.binary()).dictionary_encode()
        goes_on = self._n > 0 and len(ids) > 0 and coded.dictionary[0].as_py() == self._last
        codes: NDArray[np.int32] = coded.indices.to_numpy() + np.int32(self._n - goes_on)
        if len(ids):
            self._parts.append(coded.dictionary.slice(int(goes_on)))
            self._n += len(coded.dictionary) - int(goes_on)
            self._last = coded.dictionary[len(coded.dictionary) - 1].as_py()
        return codes

    def ids(self) -> IdMap:
        """All users."""
        return IdMap(pa.concat_arrays([pa.array([], pa.binary()), *self._parts]).cast(pa.string()))


def _positions(ids: pa.Array, known: pa.StringArray) -> NDArray[np.int32]:
    """int32 (n,): the position of each id, all of which are known."""
    coded = ids.cast(pa.binary()).dictionary_encode()
    at = pc.index_in(coded.dictionary.cast(pa.string()), value_set=known).to_numpy()
    return at.astype(np.int32)[coded.indices.to_numpy()] if len(at) else np.zeros(0, np.int32)


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


@dataclass(frozen=True)
class CodedParts:
    """The events of a log in parts. `found`: their tallies, as the names above say. `items`: their ids."""

    coding: Coding
    found: Tallies
    items: IdMap

    @property
    def hours(self) -> HourCounts | None:
        """The events by hour, those of excluded items among them; None without times."""
        hours = self.found[HOURS]
        return HourCounts(hours.low, hours.high, hours.n) if len(hours.key) else None

    @property
    def newest_of_kinds(self) -> Counts:
        """int64 (n_kinds,): UTC seconds."""
        return self.found[OF_KIND].dense(len(self.coding.names), "high")


def code_rows(
    spark: "SparkSession",
    rows: AcceptedRows,
    read: ReadPieces,
    *,
    deduplicate: bool,
    excluded: pa.StringArray,
    scratch: Path,
    block_entries: int,
) -> CodedParts:
    """Put accepted rows in the order of users, number users and items, and leave out repeats and excluded items."""
    table = spark.read.parquet(str(rows.table))
    with named_failures("while the items were collected"):
        items = IdMap.of(table.select(ITEM).distinct().toArrow().column(0).combine_chunks().cast(pa.string()))[0]
    scratch.mkdir(parents=True, exist_ok=True)
    items.save(scratch / "items.arrow")
    coding = Coding(
        items=scratch / "items.arrow",
        offsets=np.append(0, np.cumsum(read.accepted, dtype=np.int64)),
        names=read.kinds,
        deduplicate=deduplicate,
        excluded=_marked(items, excluded, scratch),
        folder=scratch,
    )
    ordered = table.repartitionByRange(_n_parts(spark, sum(read.accepted), block_entries), USER)
    ordered = ordered.sortWithinPartitions(USER, PIECE, AT)
    found = tally_rows(ordered, coding.write, doing="while the events were put in order")
    if found.total(PARTS, "m") > MOST:
        raise DataError(f"the log has {found.total(PARTS, 'm'):,} users, and a version holds up to {MOST:,}")
    return CodedParts(coding, found, items)


def _marked(items: IdMap, excluded: pa.StringArray, scratch: Path) -> Path | None:
    if not len(excluded):
        return None
    path = scratch / "excluded.npy"
    np.save(path, np.asarray(pc.is_in(items.ids, value_set=excluded), np.bool_), allow_pickle=False)
    return path


def _n_parts(spark: "SparkSession", n_rows: int, block_entries: int) -> int:
    """So that a part has about `block_entries` rows, or fewer if the cluster would idle otherwise."""
    cores = int(spark.sparkContext.defaultParallelism)
    return max(1, -(-n_rows // block_entries), min(2 * cores, n_rows // _FEWEST))


@dataclass(frozen=True)
class Finishing:
    """What is done to each part once all are known. `firsts`: the position of its first user.

    `newest`: end of the log, UTC seconds; `last`: of each kind; None without times. `thresholds`: UTC seconds.
    """

    coding: Coding
    parts: tuple[int, ...]
    firsts: tuple[int, ...]
    newest: int | None
    last: NDArray[np.int64]
    thresholds: tuple[int, ...]
    table: Path

    def write(self, number: int) -> Iterator[pa.RecordBatch]:
        """Write the events of one part with their users' positions, and count those between times."""
        table = pq.ParquetFile(self.coding.part(self.parts[number])).read()
        user = table.column("user").to_numpy() + np.int32(self.firsts[number])
        write_parquet(
            table.set_column(1, "user", pa.array(user, pa.int32())), self.table / f"part-{number:05d}.parquet"
        )
        if self.newest is None:
            return
        times = table.column("time").to_numpy()
        yield tally(BETWEEN, np.arange(len(self.last)), events_after(times, self.last, self.newest))
        after = [np.count_nonzero(times > threshold) for threshold in self.thresholds]
        yield tally(SINCE, np.arange(len(after)), after)


def finish_parts(
    spark: "SparkSession", parts: CodedParts, folder: Path, *, newest: int | None, thresholds: Sequence[int]
) -> tuple[EventFiles, Tallies]:
    """Write the parts as event files into `folder`. `newest`, `thresholds`: UTC seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes, coding = parts.found[PARTS], parts.coding
    files = EventFiles(folder)
    firsts = np.append(0, np.cumsum(sizes.m))[:-1]
    finishing = Finishing(
        coding=coding,
        parts=tuple(sizes.key.tolist()),
        firsts=tuple(firsts.tolist()),
        newest=newest,
        last=parts.newest_of_kinds,
        thresholds=tuple(thresholds),
        table=files.table,
    )
    found = tally_tasks(spark, len(sizes.key), finishing.write, doing="while the events were written")
    coding.ids.join(folder / "users.arrow", what="users")
    parts.items.save(folder / "items.arrow")
    (folder / "event_names.json").write_text(json.dumps(coding.names), encoding="utf-8")
    return files, found
