"""Splitting: the split of a log on Spark, equal to the local one; the driver holds items, and the evaluated users."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from recsys.config import EvaluateConfig, PrepareConfig
from recsys.data.arrays import Bools, Indices, save_array
from recsys.data.event_weights import EventWeights
from recsys.data.id_map import IdMap
from recsys.data.matrix import InteractionMatrix, stacked
from recsys.data.splits.holdout import MEANINGS, Places, nothing_to_evaluate
from recsys.data.splits.split import Split
from recsys.data.splits.strategies import check_sides
from recsys.errors import DataError
from recsys.spark.chunk_cut import CutRule
from recsys.spark.chunk_holdout import ChunkHoldout, EvaluatedRows, TrainSide, hold_out
from recsys.spark.cleaning import SparkCleaned, clean_events
from recsys.spark.cutting import (
    LogOnSpark,
    cut_rule,
    held_items,
    in_chunks,
    n_train_events,
    positions_in,
    start_of_decay,
    train_items,
)
from recsys.spark.event_files import EventFiles


@dataclass(frozen=True, eq=False)
class SparkSplit:
    """A training matrix in blocks, and the users to evaluate; names as of `Split`.

    `items`: all that are ranked, new ones too; `train` and `evaluated` are over them.
    """

    train: SparkCleaned
    items: IdMap
    evaluated: EvaluatedRows
    user_ids: pa.StringArray
    counts: Mapping[str, int]
    dropped: Mapping[str, int]
    dropped_users: Mapping[str, int]
    cut: int | None
    held_seconds: int | None

    def over(self, train: InteractionMatrix) -> Split:
        """The same, with a matrix of this process for training: all its users over `items`, or a sample of them."""
        return Split(
            train=train,
            queries_history=self.evaluated.history,
            user_idx=None,
            user_ids=self.user_ids,
            holdout=self.evaluated.holdout,
            counts=self.counts,
            dropped=self.dropped,
            cut=self.cut,
            dropped_users=self.dropped_users,
            queries_seen=self.evaluated.seen,
            held_seconds=self.held_seconds,
        )


def split_log(
    log: LogOnSpark,
    evaluate: EvaluateConfig,
    *,
    weights: EventWeights,
    given: EventFiles | None,
    prepare: PrepareConfig,
    block_entries: int,
) -> SparkSplit:
    """The split that `make_split` makes of the same events, with the same users, pairs and counts.

    `evaluate`: with the length of a temporal holdout. `block_entries`: of the blocks of the training matrix.
    Raises as `make_split`.
    """
    rng = np.random.default_rng(evaluate.seed)
    rule = cut_rule(log, evaluate, rng=rng, given=given)
    weights = weights.at(start_of_decay(log, rule, weights, prepare.max_user_events))
    new = _new_items(log, rule) if evaluate.new_items == "measure" else None
    cleaned = _cleaned(
        log, rule, new, partial(clean_events, prepare=prepare, weights=weights, block_entries=block_entries)
    )
    items = _ranked(log.files.items.take(cleaned.item_positions), new)
    chunks, evaluated = _evaluated(log, rule, _train_side(log, rule, cleaned, items, weights), rng)
    split = _split(log, rule, cleaned, items, chunks, evaluated)
    check_sides(evaluate, 1, split.counts["n_holdout_events"], of=len(log.files), span=log.span)
    if split.counts["n_eval_users"] == 0:
        raise nothing_to_evaluate(evaluate.split, split.counts["n_holdout_pairs"], split.dropped)
    return split


def _new_items(log: LogOnSpark, rule: CutRule) -> IdMap:
    """The items of the held-out events that no train event has."""
    of_holdout = (rule.given or log.files).items
    new = held_items(log, rule) & ~_known_as(of_holdout, log.files.items, train_items(log, rule))
    return of_holdout.take(np.flatnonzero(new).astype(np.int32))


def _ranked(trained: IdMap, new: IdMap | None) -> IdMap:
    return trained if new is None else trained.union(new)


def _cleaned(log: LogOnSpark, rule: CutRule, new: IdMap | None, clean: Callable[..., SparkCleaned]) -> SparkCleaned:
    def columns(kept: Indices) -> tuple[Indices, int]:
        trained = log.files.items.take(kept)
        items = _ranked(trained, new)
        return items.lookup(trained)[0], len(items)

    scratch = log.scratch / "train"
    scratch.mkdir()
    try:
        return clean(log.spark, log.files, scratch=scratch, take=rule.train_of, columns=columns)
    except DataError:
        check_sides(rule.evaluate, n_train_events(log, rule), 1, of=len(log.files), span=log.span)
        raise


def _train_side(
    log: LogOnSpark, rule: CutRule, cleaned: SparkCleaned, items: IdMap, weights: EventWeights
) -> TrainSide:
    columns = log.scratch / "ranked_items.arrow"
    items.save(columns)
    column, known = items.lookup(log.files.items)
    trained = np.zeros(len(log.files.items), np.bool_)
    trained[cleaned.item_positions] = True
    occurring = train_items(log, rule, known=trained)
    if rule.given is None:
        held = Places(column, known, occurring)
    else:
        of_given = rule.given.items
        held = Places(*items.lookup(of_given), _known_as(of_given, log.files.items, occurring))
    return TrainSide(weights, cleaned.user_positions, columns, column, trained, held)


def _known_as(ids: IdMap, others: IdMap, marks: Bools) -> Bools:
    """bool (n,): which of `ids` are marked among the `others`."""
    if ids is others:
        return marks
    at, known = others.lookup(ids)
    found: Bools = known & marks[at]
    return found


def _evaluated(
    log: LogOnSpark, rule: CutRule, side: TrainSide, rng: np.random.Generator
) -> tuple[list[ChunkHoldout], EvaluatedRows]:
    """What is held out of every chunk, and the evaluated users. If there may be too many, they are counted first."""
    most, sampled = rule.evaluate.max_users, None
    if most is not None and most < len(log.files.users):
        counted = _hold_out(log, rule, side, sampled=None, into=None)
        users = positions_in([(each.first_user, each.n_users, each.evaluated) for each in counted])
        if len(users) > most:
            sampled = log.scratch / "sampled.npy"
            save_array(np.sort(users[rng.choice(len(users), most, replace=False)]).astype(np.int32), sampled)
    chunks = _hold_out(log, rule, side, sampled=sampled, into=log.scratch)
    return chunks, _joined(each.rows for each in chunks)


def _hold_out(
    log: LogOnSpark, rule: CutRule, side: TrainSide, *, sampled: Path | None, into: Path | None
) -> list[ChunkHoldout]:
    return in_chunks(log, partial(hold_out, rule=rule, side=side, sampled=sampled, into=into))


def _joined(paths: Iterable[Path | None]) -> EvaluatedRows:
    parts = [EvaluatedRows.load(path) for path in paths if path is not None]
    seen = [part.seen for part in parts if part.seen is not None]
    return EvaluatedRows(
        user=np.concatenate([part.user for part in parts]),
        history=stacked([part.history for part in parts]),
        holdout=stacked([part.holdout for part in parts]),
        seen=stacked(seen) if seen else None,
    )


def _split(
    log: LogOnSpark,
    rule: CutRule,
    cleaned: SparkCleaned,
    items: IdMap,
    chunks: Sequence[ChunkHoldout],
    rows: EvaluatedRows,
) -> SparkSplit:
    too_few = _total(chunks, "too_few_items")
    summary = cleaned.summary
    return SparkSplit(
        train=cleaned,
        items=items,
        evaluated=rows,
        user_ids=log.files.users.ids.take(pa.array(rows.user)),
        counts={
            "n_train_events": summary.events_in,
            "n_train_users": summary.n_users,
            "n_train_items": summary.n_items,
            "n_new_items": len(items) - summary.n_items,
            "n_train_entries": summary.entries,
            "n_holdout_events": _total(chunks, "n_events"),
            "n_holdout_pairs": _total(chunks, "n_pairs"),
            "n_holdout_users": _total(chunks, "n_holders") + too_few,
            "n_holdout_entries": _total(chunks, "n_left_pairs"),
            "n_eval_users": _total(chunks, "n_left_users"),
        },
        dropped=_summed([each.dropped for each in chunks]),
        dropped_users=_summed([*(each.dropped_users for each in chunks), {"too_few_items": too_few}]),
        cut=rule.at,
        held_seconds=rule.evaluate.holdout if rule.evaluate.split == "temporal" else None,
    )


def _total(chunks: Sequence[ChunkHoldout], name: str) -> int:
    return sum(getattr(chunk, name) for chunk in chunks)


def _summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """By reason, in the order in which they are checked."""
    total = sum((Counter(each) for each in counts), Counter[str]())
    return {reason: total[reason] for reason in (*MEANINGS, "too_few_items") if total[reason]}
