"""Holdout: the held-out pairs that are evaluated, and why the others are left out."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Indices
from recsys.data.id_map import IdMap
from recsys.data.matrix import Csr, InteractionMatrix
from recsys.data.pairs import Pairs, merge_events, run_starts
from recsys.data.splits.strategies import EventSplit
from recsys.errors import DataError

MEANINGS = {
    "not_positive": "no event of the pair has a value above zero",
    "new_user": "the user has no train event",
    "user_not_trained": "cleaning ([prepare]) left out all train events of the user",
    "no_history": "none of the trained items is in the user's history",
    "new_item": "the item has no train event",
    "item_not_trained": "cleaning ([prepare]) left out all train events of the item",
    "already_seen": "the user had seen the item before; evaluate.exclude_seen = false measures it",
    "sampled_out": "the user is not in the sample of evaluate.max_users",
}
"""Why pairs of the holdout are not evaluated, in the order in which they are checked."""


@dataclass(frozen=True, eq=False)
class Holdout:
    """Distinct held-out pairs, and the number of pairs and users left out for each reason.

    A user is counted under the reason for which the last of the user's pairs was left out.
    """

    pairs: Pairs
    dropped: Mapping[str, int] = field(default_factory=dict)
    dropped_users: Mapping[str, int] = field(default_factory=dict)

    @property
    def users(self) -> Indices:
        """int32 (n_users,): the distinct users, in order."""
        return self.pairs.user_idx[run_starts(self.pairs.user_idx)]

    def keep(self, kept: NDArray[np.bool_], reason: str) -> "Holdout":
        """Only the pairs for which `kept`, bool (n_pairs,), is true; the others are counted under `reason`."""
        if kept.all():
            return self
        left = Holdout(self.pairs.select(kept))
        return Holdout(
            left.pairs,
            {**self.dropped, reason: len(self.pairs) - len(left.pairs)},
            {**self.dropped_users, reason: len(self.users) - len(left.users)},
        )


def nothing_to_evaluate(kind: str, n_pairs: int, dropped: Mapping[str, int]) -> DataError:
    """An error that says why none of `n_pairs` is left to evaluate. `kind`: `evaluate.split`."""
    reasons = "; ".join(f"{count:,} because {MEANINGS[reason]} ({reason})" for reason, count in dropped.items())
    return DataError(
        f'evaluate.split = "{kind}": nothing is left to evaluate. '
        f"{n_pairs:,} pairs of user and item are held out; left out are {reasons or 'none'}"
    )


def held_out_pairs(cut: EventSplit) -> Holdout:
    """The distinct pairs of the held-out events; `pairs.weight` is 1 if any value is above zero, else 0."""
    relevant = (cut.holdout.value > 0).astype(np.float32)
    return Holdout(merge_events(cut.holdout, relevant, "max"))


def new_items(cut: EventSplit) -> IdMap:
    """The items of the held-out events that no train event has."""
    items = cut.holdout.items
    held_out = np.bincount(cut.holdout.item_idx, minlength=len(items)) > 0
    return items.take(
        np.flatnonzero(held_out & ~_occurring(items, cut.train.items, cut.train.item_idx)).astype(np.int32)
    )


@dataclass(frozen=True, eq=False)
class Places:
    """Where the users, or the items, of the held-out events are in training.

    `at`: int32 (n,), a row of the histories or a column of the training matrix, valid only where `known`, bool (n,).
    `occurring`: bool (n,), those with a train event. A user with an empty history is not known.
    """

    at: Indices
    known: NDArray[np.bool_]
    occurring: NDArray[np.bool_]


def user_places(cut: EventSplit, histories: InteractionMatrix) -> Places:
    """Of the users of the held-out events; `histories`: of users of the holdout."""
    at, known = histories.users.lookup(cut.holdout.users)
    known &= (np.diff(histories.csr.indptr) > 0)[at]
    return Places(at, known, _occurring(cut.holdout.users, cut.train.users, cut.train.user_idx))


def item_places(cut: EventSplit, items: IdMap) -> Places:
    """Of the items of the held-out events; `items`: those of the training matrix."""
    at, known = items.lookup(cut.holdout.items)
    return Places(at, known, _occurring(cut.holdout.items, cut.train.items, cut.train.item_idx))


def evaluable(holdout: Holdout, *, users: Places, items: Places, left_out: Csr, trained: bool) -> Holdout:
    """The pairs that can be evaluated, renumbered: users and items are where `users` and `items` say.

    `left_out`: of the rows of the histories, the items that lists leave out. `trained`: whether the users are trained
    on. Leaves out, in this order, pairs without a positive value, of unknown users, of unknown items, and in
    `left_out`.
    """
    holdout = holdout.keep(holdout.pairs.weight > 0, "not_positive")
    if trained:
        holdout = holdout.keep(users.occurring[holdout.pairs.user_idx], "new_user")
    holdout = holdout.keep(users.known[holdout.pairs.user_idx], "user_not_trained" if trained else "no_history")
    # If new items are measured, they are columns, so they are known.
    holdout = holdout.keep((items.occurring | items.known)[holdout.pairs.item_idx], "new_item")
    holdout = holdout.keep(items.known[holdout.pairs.item_idx], "item_not_trained")
    return _unseen(_renumbered(holdout, users.at, items.at), left_out)


def sampled(holdout: Holdout, max_users: int | None, rng: np.random.Generator) -> Holdout:
    """Up to `max_users` of the users, drawn at random; all of them if it is None."""
    if max_users is None or len(holdout.users) <= max_users:
        return holdout
    drawn = rng.choice(holdout.users, max_users, replace=False)
    return holdout.keep(np.isin(holdout.pairs.user_idx, drawn), "sampled_out")


def relevance(holdout: Holdout, n_items: int) -> Csr:
    """float32 (n_users, n_items), canonical: 1 for each pair; one row per user, in the order of `users`."""
    pairs = holdout.pairs
    indptr = np.append(run_starts(pairs.user_idx), len(pairs)).astype(np.int32)
    return Csr((pairs.weight, pairs.item_idx, indptr), shape=(len(indptr) - 1, n_items))


def _renumbered(holdout: Holdout, user_at: Indices, item_at: Indices) -> Holdout:
    # Id maps are sorted, so the pairs stay ordered by user, then item.
    old = holdout.pairs
    pairs = Pairs(user_at[old.user_idx], item_at[old.item_idx], old.weight, old.n_events)
    return Holdout(pairs, holdout.dropped, holdout.dropped_users)


def _unseen(holdout: Holdout, left_out: Csr) -> Holdout:
    if len(holdout.pairs) == 0 or left_out.nnz == 0:
        return holdout
    seen = np.asarray(left_out[holdout.pairs.user_idx, holdout.pairs.item_idx]).ravel() > 0
    return holdout.keep(~seen, "already_seen")


def _occurring(ids: IdMap, target: IdMap, positions: Indices) -> NDArray[np.bool_]:
    """bool (n,): which of `ids` occur among `positions`, int32 (n_events,) in `target`."""
    at, known = target.lookup(ids)
    occurring: NDArray[np.bool_] = known & (np.bincount(positions, minlength=len(target)) > 0)[at]
    return occurring
