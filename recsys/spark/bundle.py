"""What a version takes from events beside the matrix: seen items, popularity and ids of users, by chunks."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from recsys.config import PrepareConfig
from recsys.data.arrays import Floats, Indices
from recsys.data.event_weights import EventWeights
from recsys.data.id_map import IdMap
from recsys.data.matrix import Csr, InteractionMatrix
from recsys.data.popularity import PopularityCounts, popularity_counts
from recsys.data.seen import seen_items
from recsys.spark.cleaning import SparkCleaned
from recsys.spark.event_files import EventChunk, EventFiles, mapped_ids
from recsys.spark.id_parts import IdParts
from recsys.spark.limits import check_entries
from recsys.spark.pair_files import chunk_number
from recsys.spark.row_blocks import RowBlock
from recsys.spark.row_parts import RowParts
from recsys.spark.tallies import Counts, tally, tally_tasks
from recsys.spark.whole_files import write_npy

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_USERS, _SEEN = "users of items", "seen"


@dataclass(frozen=True, eq=False)
class BundleParts:
    """What is made of each chunk. `items`: Arrow file of the ids of the matrix' columns. `most_events`: of a chunk.

    `now`: UTC seconds at which popularity is, None without times; `since`: as of `first_second`.
    """

    events: EventFiles
    trained: RowParts
    folded_in: RowParts
    items: Path
    weights: EventWeights
    prepare: PrepareConfig
    now: int | None
    since: int
    most_events: int
    scratch: Path

    @property
    def ids(self) -> tuple[IdParts, IdParts]:
        """Of the users who are trained, and of those who are folded in."""
        return IdParts(self.scratch / "trained ids"), IdParts(self.scratch / "folded ids")

    @property
    def seen(self) -> tuple[RowParts, RowParts]:
        """What lists of these users leave out."""
        folders = (self.scratch / name for name in ("seen", "folded seen"))
        trained, folded_in = (RowParts(folder / "blocks", folder / "users") for folder in folders)
        return trained, folded_in

    @property
    def current(self) -> Path:
        """Folder of the sums over users that decay, a file per chunk."""
        return self.scratch / "popularity"

    def write(self, file: int) -> Iterator[pa.RecordBatch]:
        """Write the parts of the chunks of one file."""
        items = mapped_ids(self.items)
        for chunk in self.events.chunks(file, self.most_events):
            number, matrices = chunk_number(chunk.file, chunk.part), list[InteractionMatrix]()
            for at, rows in enumerate((self.trained, self.folded_in)):
                users, csr = rows.of(number, len(items))
                matrix = InteractionMatrix(chunk.events.users.take(users - np.int32(chunk.first_user)), items, csr)
                matrices.append(matrix)
                if len(users):
                    self.ids[at].write(number, matrix.users.ids)
                    yield from self._seen(at, number, chunk, users, matrix)
            yield from self._popularity(number, chunk, matrices)

    def _seen(
        self, at: int, number: int, chunk: EventChunk, users: Indices, matrix: InteractionMatrix
    ) -> Iterator[pa.RecordBatch]:
        found: Csr | None = seen_items(chunk.events, matrix, weights=self.weights)
        if found is not None:
            self.seen[at].write(number, users, RowBlock(0, 0, found))
            yield tally(_SEEN, at, found.nnz)

    def _popularity(
        self, number: int, chunk: EventChunk, matrices: list[InteractionMatrix]
    ) -> Iterator[pa.RecordBatch]:
        found = popularity_counts(chunk.events, matrices, self.prepare, now=self.now, since=self.since)
        used = np.flatnonzero(found.users)
        if self._decays and found.current is not None:
            write_npy(np.vstack([used, found.current[used]]), self.current / f"{number:020d}.npy")
            yield tally(_USERS, used, found.users[used])
        else:  # whole numbers
            current = np.zeros_like(found.users) if found.current is None else found.current
            yield tally(_USERS, used, found.users[used], current[used])

    @property
    def _decays(self) -> bool:
        return self.now is not None and self.prepare.half_life_days is not None

    def summed(self, users: Counts, recent: Counts) -> PopularityCounts:
        """The counts of all chunks; sums that decay are added in the order of the users."""
        if self.now is None:
            return PopularityCounts(users.astype(np.float64), None)
        if not self._decays:
            return PopularityCounts(users.astype(np.float64), recent.astype(np.float64))
        current = np.zeros(len(users), np.float64)
        for path in sorted(self.current.glob("*.npy")):
            at, weights = np.load(path, allow_pickle=False)
            current[at.astype(np.int64)] += weights
        return PopularityCounts(users.astype(np.float64), current)


def save_rows(spark: "SparkSession", cleaned: SparkCleaned, parts: BundleParts, folder: Path, items: IdMap) -> Floats:
    """Write the matrix, the users who are folded in and what lists leave out into `folder`, in a version's form.

    `items`: of the columns. Returns the popularity of each, float32 (n_items,), as `current_popularity` says.
    Raises DataError if there are more entries or longer ids than a version holds.
    """
    check_entries(cleaned.users.shape.entries)  # before what takes long
    items.save(parts.items)
    n_files = len(parts.events.files)
    found = tally_tasks(spark, n_files, parts.write, doing="while seen items and popularity were counted")
    seen = found[_SEEN].dense(2)
    summary = cleaned.summary
    sides = (
        (folder / "matrix", cleaned.trained, summary.n_users, cleaned.users.shape.entries),
        (folder / "folded_in", cleaned.folded_in, summary.n_folded_in, cleaned.folded_in_entries),
    )
    for at, (side, rows, n_users, entries) in enumerate(sides):
        shape = n_users, len(items)
        side.mkdir(parents=True, exist_ok=True)
        parts.ids[at].join(side / "users.arrow", what="users")
        items.save(side / "items.arrow")
        rows.join_rows(side / "matrix", shape, entries)
        if parts.weights.seen_kinds:
            below = folder if at == 0 else side
            parts.seen[at].join_rows(below / "seen", shape, int(seen[at]))
    counts = [found[_USERS].dense(len(items), column) for column in ("n", "m")]
    return parts.summed(*counts).popularity(parts.prepare)
