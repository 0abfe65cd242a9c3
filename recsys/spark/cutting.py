"""Cutting: the rule by which the chunks of a log are cut, and what is on either side."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recsys.config import EvaluateConfig
from recsys.data.arrays import Bools, Indices, save_array
from recsys.data.cleaning import within_max_events
from recsys.data.event_weights import EventWeights
from recsys.data.log_span import HourCounts, LogSpan
from recsys.data.splits.strategies import draw_users
from recsys.errors import ConfigError
from recsys.spark.chunk_cut import CutRule
from recsys.spark.event_files import EventChunk, EventFiles
from recsys.spark.tasks import in_tasks

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True, eq=False)
class LogOnSpark:
    """A log that is worked on in chunks of about `chunk_events`. `scratch`: a folder that executors see.

    `span`: None without times.
    """

    spark: "SparkSession"
    files: EventFiles
    scratch: Path
    chunk_events: int
    span: LogSpan | None


def cut_rule(
    log: LogOnSpark, evaluate: EvaluateConfig, *, rng: np.random.Generator, given: EventFiles | None
) -> CutRule:
    """The rule of `evaluate.split`. `rng`: draws what the local split draws. Raises ConfigError without times."""
    rule = CutRule(log.files, evaluate, given=given)
    if evaluate.split == "temporal":
        if log.span is None:
            raise ConfigError('evaluate.split = "temporal": the events have no time; set log.timestamp')
        at = log.span.last - (evaluate.holdout or 0)
        return replace(rule, at=at, now=at)
    if evaluate.split == "held_out_users":
        return _with_held_out_users(log, rule, rng)
    return rule


def start_of_decay(log: LogOnSpark, rule: CutRule, weights: EventWeights, max_user_events: int | None) -> int | None:
    """When decay of the train events starts: as the rule says, or at the end of those that count; UTC seconds."""
    if rule.now is not None or weights.half_life_days is None or log.span is None:
        return rule.now
    parts = in_chunks(log, partial(_hours, rule, max_user_events))
    return HourCounts.merged(parts).end()[0] if parts else None


def train_items(log: LogOnSpark, rule: CutRule, known: Bools | None = None) -> Bools:
    """bool (n_items,): the items with a train event. `known`: those that are known to have one."""
    marks = np.zeros(len(log.files.items), np.bool_) if known is None else known.copy()
    for items in in_chunks(log, partial(_train_items, rule, known)):
        marks[items] = True
    return marks


def held_items(log: LogOnSpark, rule: CutRule) -> Bools:
    """bool (n_items,): the items with a held-out event; of the given events, if they are given."""
    marks = np.zeros(len((rule.given or log.files).items), np.bool_)
    for items in in_chunks(log, partial(_held_items, rule)):
        marks[items] = True
    return marks


def n_train_events(log: LogOnSpark, rule: CutRule) -> int:
    """Events on the train side."""
    return sum(in_chunks(log, partial(_n_train, rule)))


def in_chunks(log: LogOnSpark, work: Callable[[EventChunk], Any]) -> list[Any]:
    """What `work` returns for each chunk, in their order; None is left out. Raises as `in_tasks`."""
    found = in_tasks(log.spark, len(log.files.files), partial(_of_chunks, log.files, log.chunk_events, work))
    return [each for each in found if each is not None]


def _of_chunks(files: EventFiles, chunk_events: int, work: Callable[[EventChunk], Any], file: int) -> Iterator[Any]:
    yield from map(work, files.chunks(file, chunk_events))


def _with_held_out_users(log: LogOnSpark, rule: CutRule, rng: np.random.Generator) -> CutRule:
    users = positions_in(in_chunks(log, _active_users))
    drawn = np.sort(users[draw_users(len(users), rule.evaluate.user_share, rng)]).astype(np.int32)
    save_array(drawn, log.scratch / "held_out.npy")
    now = None if log.span is None else log.span.last
    rule = replace(rule, drawn=log.scratch / "held_out.npy", now=now, rng=rng.bit_generator.state)
    places, numbers = zip(*in_chunks(log, partial(_pairs_to_draw, rule)), strict=True)
    before = np.cumsum([0, *numbers]).tolist()
    _skip(rng, before[-1])
    return replace(rule, skipped=dict(zip(places, before, strict=False)))


def positions_in(marked: Iterable[tuple[int, int, bytes]]) -> NDArray[np.int64]:
    """int64: the marked users. `marked`: of chunks in order, the first user, the number of users, and packed bits."""
    parts = [
        first + np.flatnonzero(np.unpackbits(np.frombuffer(bits, np.uint8), count=n)) for first, n, bits in marked
    ]
    return np.concatenate([np.zeros(0, np.int64), *parts])


def _skip(rng: np.random.Generator, numbers: int) -> None:
    """Go on as if `rng` had drawn so many doubles; half a number that it has left over stays."""
    generator: Any = rng.bit_generator
    left_over = {key: generator.state[key] for key in ("has_uint32", "uinteger")}
    generator.advance(numbers)
    generator.state = {**generator.state, **left_over}


def _active_users(chunk: EventChunk) -> tuple[int, int, bytes]:
    n = len(chunk.events.users)
    return chunk.first_user, n, np.packbits(np.bincount(chunk.events.user_idx, minlength=n) > 0).tobytes()


def _pairs_to_draw(rule: CutRule, chunk: EventChunk) -> tuple[tuple[int, int], int]:
    return (chunk.file, chunk.part), rule.pairs_to_draw(chunk)


def _hours(rule: CutRule, max_user_events: int | None, chunk: EventChunk) -> HourCounts | None:
    train = rule.train_of(chunk)
    if train.timestamp is None or len(train) == 0:
        return None
    if max_user_events is None:
        return HourCounts.of(train.timestamp)
    kept = train.timestamp[within_max_events(train.user_idx, max_user_events)]
    return HourCounts.of(kept) if len(kept) else None


def _train_items(rule: CutRule, known: Bools | None, chunk: EventChunk) -> Indices:
    items: Indices = np.unique(rule.train_of(chunk).item_idx)
    return items if known is None else items[~known[items]]


def _held_items(rule: CutRule, chunk: EventChunk) -> Indices:
    items: Indices = np.unique(rule.cut(chunk).holdout.item_idx)
    return items


def _n_train(rule: CutRule, chunk: EventChunk) -> int:
    return len(rule.train_of(chunk))
