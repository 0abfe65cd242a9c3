"""Finishing: the coded parts of a log become event files, once the first user of each part is known."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from recsys.data.event_facts import events_after
from recsys.spark.coding import CodedParts
from recsys.spark.event_files import EventFiles
from recsys.spark.row_coding import PARTS, Coding
from recsys.spark.tallies import Tallies, tally, tally_tasks
from recsys.spark.whole_files import write_parquet

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SINCE, BETWEEN = "since", "between"
"""Kinds of tallies. By threshold: events after it; by kind: events after its newest one."""


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
