"""Coding: accepted rows become events, whose users and items are positions in the order of the bytes of their ids.

One shuffle puts the rows in the order of users. A part of it holds whole users, so their ids need not meet: the
position of a user is its place in its part, after those of the parts before. Items, of which the driver holds all
ids, are looked up.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.data.id_map import IdMap
from recsys.data.log_span import HourCounts
from recsys.spark.accepted_rows import AT, ITEM, PIECE, USER, AcceptedRows, ReadPieces
from recsys.spark.failures import named_failures
from recsys.spark.limits import MOST, check_item_ids, check_users
from recsys.spark.row_coding import HOURS, OF_KIND, PARTS, Coding
from recsys.spark.tallies import Counts, Tallies, tally_rows

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_FEWEST = 250_000
"""Events of a part, if there are more."""


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
    most_users: int = MOST,
) -> CodedParts:
    """Put accepted rows in the order of users, number users and items, and leave out repeats and excluded items.

    Raises DataError if there are more than `most_users`, or the ids of the items do not fit one map.
    """
    table = spark.read.parquet(str(rows.table))
    with named_failures("while the items were collected"):
        ids = table.select(ITEM).distinct().toArrow().column(0)
    check_item_ids(ids)
    items = IdMap.of(ids.combine_chunks().cast(pa.string()))[0]
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
    check_users(found.total(PARTS, "m"), most=most_users)
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
