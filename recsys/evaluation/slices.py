"""Slices: the accuracy of every model by user activity and by item popularity."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.config import EvaluateConfig
from recsys.evaluation.comparison import Estimates, estimate
from recsys.evaluation.definitions import accuracy_names
from recsys.evaluation.measures import BANDS, BY_USERS, popularity_bands, users_slices
from recsys.evaluation.provenance import SplitSummary
from recsys.evaluation.results import Cohort, Evaluation

ACTIVITY_BOUNDS = (0, 1, 5, 10, 20, 50, 100, 200, 500)
"""Smallest number of history items in each slice of users."""

_MEANINGS = {
    "user_activity": "the metrics over the evaluated users, by the number of distinct items in their history",
    "item_users": "recall of the items with so many training users, computed as for the popularity bands",
    "item_popularity": "recall of the items of one popularity band: the band's hits in the first k / min(k, the"
    " user's relevant items of the band), mean over the users with at least one such item; by training users, most"
    " first, the head holds the first third of all training pairs, mid the second, tail the last",
}


@dataclass(frozen=True)
class ActivitySlice:
    """Users by the size of their history: its name ("5 to 9"), their number, every model's metrics."""

    slice: str
    users: int
    models: Estimates


@dataclass(frozen=True)
class PopularitySlice:
    """Items of one popularity band, or with so many training users, and every model's recall of them.

    `training_users`: the fewest and the most of any of the items. `relevant`: held-out pairs with these items.
    """

    slice: str
    items: int
    training_users: tuple[int, int]
    relevant: int
    models: Estimates


@dataclass(frozen=True)
class LeftOut:
    """Held-out pairs and users that are not evaluated for one reason."""

    pairs: int
    users: int


@dataclass(frozen=True)
class Slices:
    """Accuracy at the cut-off `k`. Empty slices are left out; new users and new items are counted, but in no slice.

    `definitions`: what the slices mean, by field name.
    """

    k: int
    user_activity: tuple[ActivitySlice, ...]
    item_popularity: tuple[PopularitySlice, ...]
    item_users: tuple[PopularitySlice, ...]
    new_users: LeftOut
    new_items: LeftOut
    definitions: Mapping[str, str]


def slices_of(
    evaluations: Sequence[Evaluation], cohort: Cohort, *, k: int, split: SplitSummary, evaluate: EvaluateConfig
) -> Slices:
    """The slices of `evaluations`, which are of the users of `cohort`, with intervals."""
    new_users, new_items = (
        LeftOut(split.dropped.get(reason, 0), split.dropped_users.get(reason, 0))
        for reason in ("new_user", "new_item")
    )
    return Slices(
        k=k,
        user_activity=tuple(_by_activity(evaluations, cohort.n_history, evaluate, k)),
        item_popularity=tuple(
            _by_items(evaluations, cohort, evaluate, k, BANDS, popularity_bands(cohort.popularity))
        ),
        item_users=tuple(_by_items(evaluations, cohort, evaluate, k, BY_USERS, users_slices(cohort.popularity))),
        new_users=new_users,
        new_items=new_items,
        definitions=_MEANINGS,
    )


def _by_activity(
    evaluations: Sequence[Evaluation], n_history: NDArray[np.int32], evaluate: EvaluateConfig, k: int
) -> Iterator[ActivitySlice]:
    slice_of_user = np.searchsorted(ACTIVITY_BOUNDS, n_history, side="right") - 1
    for at in np.unique(slice_of_user):
        rows = slice_of_user == at
        columns = {
            each.name: {name: each.per_user[name][rows] for name in accuracy_names((k,))} for each in evaluations
        }
        yield ActivitySlice(_span(int(at)), int(rows.sum()), estimate(columns, evaluate))


def _span(at: int) -> str:
    """The name of a slice: "0", "1 to 4", "500 or more"."""
    least = ACTIVITY_BOUNDS[at]
    if at + 1 == len(ACTIVITY_BOUNDS):
        return f"{least} or more"
    most = ACTIVITY_BOUNDS[at + 1] - 1
    return f"{least} to {most}" if most > least else str(least)


def _by_items(
    evaluations: Sequence[Evaluation],
    cohort: Cohort,
    evaluate: EvaluateConfig,
    k: int,
    names: Sequence[str],
    band_of_item: NDArray[np.int8],
) -> Iterator[PopularitySlice]:
    for number, band in enumerate(names):
        relevant = int((band_of_item[cohort.holdout.indices] == number).sum())
        if relevant == 0:
            continue
        n_users = cohort.popularity[band_of_item == number]
        columns = {each.name: {f"recall@{k}": each.by_band[band][f"recall@{k}"]} for each in evaluations}
        yield PopularitySlice(
            slice=band,
            items=len(n_users),
            training_users=(int(n_users.min()), int(n_users.max())),
            relevant=relevant,
            models=estimate(columns, evaluate),
        )
