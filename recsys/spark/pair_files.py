"""Pair files: the weighed pairs of each chunk of users, kept while the k-core is found."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recsys.config import PrepareConfig
from recsys.data.cleaning import weigh_pairs
from recsys.data.event_weights import EventWeights
from recsys.data.interactions import Interactions
from recsys.data.pairs import Pairs
from recsys.spark.event_files import EventChunk, EventFiles
from recsys.spark.tallies import tally
from recsys.spark.whole_files import write_parquet

EVENTS, REMOVED, PEOPLE, BOTS = "events", "removed:", "people", "bots"
"""Kinds of tallies: events; those left out, with the reason; users within the bound on events; users beyond it."""

Take = Callable[[EventChunk], Interactions]
"""The events of a chunk that count, over its users and items."""


def every_event(chunk: EventChunk) -> Interactions:
    """All events of a chunk."""
    return chunk.events


@dataclass(frozen=True, eq=False)
class PairChunk:
    """The pairs above zero of the users from `first_user` on, over these users and all items.

    `number`: of the chunk, its file and its part in one number that is ordered as the users are.
    """

    number: int
    first_user: int
    n_users: int
    pairs: Pairs


@dataclass(frozen=True)
class PairFiles:
    """The pairs of all chunks in `folder`, a file per chunk. `n_files`: of the event files that they are from."""

    folder: Path
    n_files: int

    def write(self, chunk: EventChunk, pairs: Pairs) -> None:
        """Write the pairs of one chunk."""
        columns = {name: getattr(pairs, name) for name in ("user_idx", "item_idx", "weight", "n_events")}
        facts = {"first_user": str(chunk.first_user), "n_users": str(len(chunk.events.users))}
        table = pa.table(columns).replace_schema_metadata(facts)
        write_parquet(table, self.folder / f"{chunk.file:05d}" / f"{chunk.part:05d}.parquet")

    def chunks(self, file: int) -> Iterator[PairChunk]:
        """The chunks of one file, in order."""
        for path in sorted((self.folder / f"{file:05d}").glob("*.parquet")):
            table = pq.ParquetFile(path).read()
            facts = table.schema.metadata
            pairs = Pairs(*(np.asarray(table.column(name).to_numpy()) for name in table.column_names))
            number = chunk_number(file, int(path.stem))
            yield PairChunk(number, int(facts[b"first_user"]), int(facts[b"n_users"]), pairs)


def chunk_number(file: int, part: int) -> int:
    """One number for the place of a chunk."""
    return file << 32 | part


@dataclass(frozen=True, eq=False)
class Weighing:
    """How the events of a log become pairs. `most_events`: of a chunk, about."""

    events: EventFiles
    take: Take
    prepare: PrepareConfig
    weights: EventWeights
    most_events: int

    def write(self, file: int, pairs: PairFiles) -> Iterator[pa.RecordBatch]:
        """Write the pairs of a file's chunks, and tally what was left out."""
        for chunk in self.events.chunks(file, self.most_events):
            taken = self.take(chunk)
            found = weigh_pairs(taken, self.prepare, weights=self.weights)
            pairs.write(chunk, found.pairs)
            yield tally(EVENTS, 0, len(taken))
            yield tally(PEOPLE, 0, found.n_people)
            yield tally(BOTS, 0, found.n_bots)
            for reason, n_events in found.removed.items():
                yield tally(REMOVED + reason, 0, n_events)
