"""Chunk cut: the split of a log, done for one chunk of whole users by the code of the local engine."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.config import EvaluateConfig
from recsys.data.id_map import IdMap
from recsys.data.interactions import Interactions
from recsys.data.splits.strategies import EventSplit, positive_pairs, split_at, split_drawn_users, split_last_items
from recsys.errors import ConfigError
from recsys.spark.event_files import EventChunk, EventFiles

Place = tuple[int, int]
"""A chunk: its file and its part."""


@dataclass(frozen=True, eq=False)
class CutRule:
    """How chunks of `log` are cut: the settings, and what the whole log says.

    `at`: of a split in time, UTC seconds. `now`: when decay starts. `drawn`: npy file of the held-out users, int32
    ascending. `rng`: state of the generator that draws a number per pair, of which a chunk's first is `skipped`
    numbers on. `given`: the events of a given holdout.
    """

    log: EventFiles
    evaluate: EvaluateConfig
    at: int | None = None
    now: int | None = None
    drawn: Path | None = None
    rng: Any = None
    skipped: dict[Place, int] = field(default_factory=dict)
    given: EventFiles | None = None

    @property
    def trains_on_evaluated(self) -> bool:
        """Whether evaluated users are trained on."""
        return self.evaluate.split != "held_out_users"

    def cut(self, chunk: EventChunk) -> EventSplit:
        """Both sides of the chunk."""
        events, kind = chunk.events, self.evaluate.split
        if kind == "given":
            return EventSplit(events, self._given(chunk))
        if kind == "last_n":
            return split_last_items(events, self.evaluate.last_n)
        if kind == "held_out_users":
            rng = advanced(self.rng, self.skipped.get((chunk.file, chunk.part), 0))
            drawn, share = self.drawn_in(chunk), self.evaluate.item_share
            return split_drawn_users(events, drawn, item_share=share, rng=rng, now=self.now)
        if self.at is None:
            raise ConfigError('evaluate.split = "temporal": the events have no time; set log.timestamp')
        return split_at(events, self.at)

    def train_of(self, chunk: EventChunk) -> Interactions:
        """The train side of the chunk."""
        return self.cut(chunk).train

    def drawn_in(self, chunk: EventChunk) -> NDArray[np.bool_]:
        """bool (n,): the users of the chunk who are held out."""
        return marked(self.drawn, chunk)

    def pairs_to_draw(self, chunk: EventChunk) -> int:
        """For how many pairs the cut of the chunk draws a number."""
        drawn = self.drawn_in(chunk)
        return len(positive_pairs(chunk.events.select(drawn[chunk.events.user_idx])))

    def _given(self, chunk: EventChunk) -> Interactions:
        """The given events of the chunk's users, and of those between their ids who are not in the log."""
        if self.given is None:
            raise ConfigError('evaluate.split = "given": needs the events of evaluate.holdout_paths')
        known = self.given.users
        ends = [self._first_of(known, user) for user in (chunk.first_user, chunk.stop_user)]
        return self.given.of_users(*ends)

    def _first_of(self, known: IdMap, user: int) -> int:
        """The first of `known`, users of the given events, whose id is that of a user of the log, or after it."""
        users = self.log.users
        if user == 0:
            return 0
        return len(known) if user == len(users) else known.starting_with(users.id_at(user)).start


def advanced(state: Any, numbers: int) -> np.random.Generator:
    """The generator with this `state` after it has drawn so many doubles."""
    generator = np.random.PCG64()
    generator.state = state
    generator.advance(numbers)
    return np.random.Generator(generator)


def marked(positions: Path | None, chunk: EventChunk) -> NDArray[np.bool_]:
    """bool (n,): the users of the chunk at `positions`, an npy file of int32, ascending. All without a file."""
    if positions is None:
        return np.ones(len(chunk.events.users), np.bool_)
    found = np.load(positions, mmap_mode="r", allow_pickle=False)
    start, stop = np.searchsorted(found, [chunk.first_user, chunk.stop_user])
    marks = np.zeros(len(chunk.events.users), np.bool_)
    marks[found[start:stop] - chunk.first_user] = True
    return marks
