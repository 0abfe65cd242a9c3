"""Split: the training matrix, and the histories and relevant items of the users to evaluate."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from recsys.config import EvaluateConfig, PrepareConfig
from recsys.data.arrays import Indices
from recsys.data.cleaning import build_history, build_matrix
from recsys.data.event_weights import EventWeights
from recsys.data.interactions import Interactions
from recsys.data.matrix import Csr, InteractionMatrix, check_canonical, empty_csr
from recsys.data.seen import seen_items
from recsys.data.splits.holdout import (
    Holdout,
    evaluable,
    held_out_pairs,
    item_places,
    new_items,
    nothing_to_evaluate,
    relevance,
    sampled,
    user_places,
)
from recsys.data.splits.holdout_length import with_length
from recsys.data.splits.strategies import EventSplit, split_events
from recsys.errors import DataError


@dataclass(frozen=True, eq=False)
class Split:
    """A training matrix, and the evaluated users with their histories and relevant items.

    `train`: built from train events only, id maps included; if new items are measured, it has a column without
    entries for each of them. `queries_history`: float32 (n_eval, n_items), the history of each evaluated user.
    `user_idx`: int32 (n_eval,), their rows in `train`, None if they are not in training. `user_ids`: pyarrow string
    array (n_eval,). `holdout`: float32 (n_eval, n_items), 1 where an item is relevant: at least one per row, none of
    them in that row of `left_out`. `queries_seen`: float32 (n_eval, n_items), the items that lists leave out, None if
    those are the histories. `held_seconds`: the length of a temporal holdout. `cut`: UTC seconds; train events are
    older, held-out events are not. None if the split is not by time.

    `counts`: n_train_events, n_train_users, n_train_items, n_train_entries; n_new_items, the columns without entries;
    n_holdout_events, n_holdout_pairs and n_holdout_users before any is left out; n_holdout_entries and n_eval_users,
    the pairs and users that are evaluated.
    `dropped`: distinct (user, item) pairs of the holdout that are not evaluated, by reason;
    n_holdout_pairs = n_holdout_entries + all of them. `dropped_users`: users that are not evaluated, each under the
    reason for which the last of their pairs was left out; n_holdout_users = n_eval_users + all of them. Reasons with
    a count of zero are not in either. The reasons, in the order in which they are checked:

    not_positive       no event of the pair has a value above zero
    new_user           the user has no train event
    user_not_trained   the user has train events, but cleaning left all of them out
    no_history         a held-out user whose history has none of the trained items
    new_item           the item has no train event (counts as relevant if `evaluate.new_items` is "measure")
    item_not_trained   the item has train events, but cleaning left all of them out
    already_seen       lists leave the item out, because the user has seen it
    sampled_out        the user is not in the sample of `evaluate.max_users`
    too_few_items      (users only) no item would be left for the history

    Raises DataError if shapes, values or sums are different.
    """

    train: InteractionMatrix
    queries_history: Csr
    user_idx: Indices | None
    user_ids: pa.StringArray
    holdout: Csr
    counts: Mapping[str, int]
    dropped: Mapping[str, int]
    cut: int | None = None
    dropped_users: Mapping[str, int] = field(default_factory=dict)
    queries_seen: Csr | None = None
    held_seconds: int | None = None

    @property
    def left_out(self) -> Csr:
        """The items that lists leave out: `queries_seen`, or else the histories."""
        return self.queries_history if self.queries_seen is None else self.queries_seen

    def __post_init__(self) -> None:
        shape = (len(self.user_ids), self.train.n_items)
        parts = {"queries_history": self.queries_history, "queries_seen": self.left_out, "holdout": self.holdout}
        for name, part in parts.items():
            check_canonical(part)
            if part.shape != shape:
                raise DataError(f"split.{name}: shape {part.shape}, expected {shape}")
        if self.left_out.multiply(self.holdout).nnz:
            raise DataError("split.holdout: holds items that the same user's list leaves out")
        if not np.diff(self.holdout.indptr).all():
            raise DataError("split.holdout: a row has no relevant item")
        self._check_sum("n_holdout_pairs", "n_holdout_entries", self.dropped)
        self._check_sum("n_holdout_users", "n_eval_users", self.dropped_users)

    def _check_sum(self, total: str, left: str, dropped: Mapping[str, int]) -> None:
        counts = self.counts
        if total in counts and counts[total] != counts[left] + sum(dropped.values()):
            raise DataError(f"split: {total} {counts[total]}, {left} {counts[left]}, dropped {dict(dropped)}")


def make_split(
    events: Interactions,
    evaluate: EvaluateConfig,
    *,
    prepare: PrepareConfig,
    weights: EventWeights,
    given: Interactions | None = None,
) -> Split:
    """Split `events` as `evaluate.split` says, and build the training matrix from the train side only.

    `prepare`, `weights`: as of `build_matrix`, which gets train events only, so that no held-out event affects the
    bounds or the id maps; decay starts at the cut. The histories of "held_out_users" are weighted in the same way.
    `given`: the events of `evaluate.holdout_paths`, only for "given"; its ids are matched as strings.
    The same events, settings and seed give the same split.
    Raises ConfigError if an argument or column is missing, DataError if nothing is left to train on or to
    evaluate, with the reasons.
    """
    rng, evaluate = np.random.default_rng(evaluate.seed), with_length(evaluate, events)
    cut = split_events(events, evaluate, rng=rng, given=given)
    weights = weights.at(cut.now)
    trained, _ = build_matrix(cut.train, prepare, weights=weights)
    train = trained.with_items(new_items(cut)) if evaluate.new_items == "measure" else trained
    histories = train if cut.history is None else _histories(cut.history, trained, weights).with_items(train.items)
    seen = left_out_items(cut.train if cut.history is None else cut.history, histories, evaluate, weights)
    whole = held_out_pairs(cut)
    left_out = histories.csr if seen is None else seen
    left = evaluable(
        whole,
        users=user_places(cut, histories),
        items=item_places(cut, train.items),
        left_out=left_out,
        trained=cut.history is None,
    )
    left = sampled(left, evaluate.max_users, rng)
    if len(left.users) == 0:
        raise nothing_to_evaluate(evaluate.split, len(whole.pairs), left.dropped)
    return Split(
        train=train,
        queries_history=histories.csr[left.users],
        user_idx=left.users if cut.history is None else None,
        user_ids=histories.users.ids.take(pa.array(left.users)),
        holdout=relevance(left, train.n_items),
        counts=_counts(cut, train, whole, left),
        dropped=left.dropped,
        dropped_users=_above_zero({**left.dropped_users, "too_few_items": cut.too_few_items}),
        cut=cut.at,
        queries_seen=None if seen is None else seen[left.users],
        held_seconds=evaluate.holdout if evaluate.split == "temporal" else None,
    )


def left_out_items(
    events: Interactions, histories: InteractionMatrix, evaluate: EvaluateConfig, weights: EventWeights
) -> Csr | None:
    """What lists leave out, if it is not the histories: nothing, or the items of the kinds that make an item seen.

    `histories`: made of `events`.
    """
    if not evaluate.exclude_seen:
        return empty_csr(histories.csr.shape)
    return seen_items(events, histories, weights=weights)


def _histories(events: Interactions, train: InteractionMatrix, weights: EventWeights) -> InteractionMatrix:
    """The histories of held-out users, over the items of `train`."""
    history = build_history(events, weights)
    return InteractionMatrix(history.users, train.items, history.over_items(train.items))


def _above_zero(dropped: Mapping[str, int]) -> dict[str, int]:
    return {reason: count for reason, count in dropped.items() if count}


def _counts(cut: EventSplit, train: InteractionMatrix, whole: Holdout, left: Holdout) -> dict[str, int]:
    return {
        "n_train_events": len(cut.train),
        "n_train_users": train.n_users,
        "n_train_items": int(np.count_nonzero(train.item_degree)),
        "n_new_items": int(np.count_nonzero(train.item_degree == 0)),
        "n_train_entries": train.csr.nnz,
        "n_holdout_events": len(cut.holdout),
        "n_holdout_pairs": len(whole.pairs),
        "n_holdout_users": len(whole.users) + cut.too_few_items,
        "n_holdout_entries": len(left.pairs),
        "n_eval_users": len(left.users),
    }
