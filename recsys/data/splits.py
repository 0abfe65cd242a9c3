"""Splits: what a model may learn from, and what it is then asked to predict."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from recsys.config import EvaluateConfig
from recsys.data.arrays import Indices
from recsys.data.interactions import Interactions
from recsys.data.matrix import Csr, InteractionMatrix, check_canonical
from recsys.errors import DataError

Build = Callable[[Interactions, int | None], InteractionMatrix]
"""From events, and the time at which decay starts (UTC seconds, None: the newest of them), to a matrix."""


@dataclass(frozen=True, eq=False)
class Split:
    """One training matrix, and the users whose other items a model trained on it is to find.

    `train`: built from train events only, id maps included. `queries_history`: float32 (n_eval, n_items), what each
    evaluated user is known by. `user_idx`: int32 (n_eval,), their rows in `train`, None where training never saw
    them. `user_ids`: pyarrow string array (n_eval,). `holdout`: float32 (n_eval, n_items), 1 where an item is
    relevant: at least one in each row, none of them in that row's history.
    `cut`: UTC seconds; train events are older, held-out events are not. None where the split is not by time.

    `counts`: n_train_events, n_train_users, n_train_items, n_train_entries; n_holdout_pairs and n_holdout_users
    as they were cut off; n_holdout_entries and n_eval_users, what is left of them to evaluate.
    `dropped`: distinct (user, item) pairs of the holdout that are not evaluated, by reason;
    n_holdout_pairs = n_holdout_entries + all of them. `dropped_users`: users that are not evaluated, each under the
    reason that took the last of their pairs; n_holdout_users = n_eval_users + all of them. The reasons:

    not_positive       no event of the pair has a value above zero
    new_user           the user has no train event
    user_not_trained   the user has train events, but cleaning left all of them out
    no_history         a held-out user without anything among the trained items to be known by
    new_item           the item has no train event
    item_not_trained   the item has train events, but cleaning left all of them out
    already_seen       the pair is in the user's history
    sampled_out        the user is not in the sample of `evaluate.max_users`
    too_few_items      (users only) there would be no history left beside the holdout

    Raises DataError where any of this does not hold.
    """

    train: InteractionMatrix
    queries_history: Csr
    user_idx: Indices | None
    user_ids: Any
    holdout: Csr
    counts: Mapping[str, int]
    dropped: Mapping[str, int]
    dropped_users: Mapping[str, int]
    cut: int | None = None

    def __post_init__(self) -> None:
        shape = (len(self.user_ids), self.train.n_items)
        for name in ("queries_history", "holdout"):
            part = getattr(self, name)
            check_canonical(part)
            if part.shape != shape:
                raise DataError(f"split.{name}: shape {part.shape}, expected {shape}")
        if self.queries_history.multiply(self.holdout).nnz:
            raise DataError("split.holdout: holds items of the same user's history")


def make_split(
    events: Interactions,
    evaluate: EvaluateConfig,
    *,
    build: Build,
    weigh: Build | None = None,
    given: Interactions | None = None,
) -> Split:
    """Split `events` as `evaluate.split` says."""
    raise NotImplementedError
