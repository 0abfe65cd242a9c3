"""Slices: the accuracy of every model by how active the users and how popular the items are, and who is in none."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.config import EvaluateConfig
from recsys.evaluation.bands import BANDS, popularity_bands
from recsys.evaluation.cohort import Cohort
from recsys.evaluation.comparison import figures_of
from recsys.evaluation.definitions import accuracy_names
from recsys.evaluation.evaluator import Evaluation

ACTIVITY_BOUNDS = (0, 1, 5, 10, 20, 50, 100, 200, 500)
"""The least number of known items in each slice of users."""

_MEANINGS = {
    "user_activity": "the metrics over the evaluated users, by the number of distinct items in their history",
    "item_popularity": "recall of the items of one popularity band: the band's hits in the first k / min(k, the"
    " user's relevant items of the band), mean over the users with at least one such item; by training users, most"
    " first, the head holds the first third of all training pairs, mid the second, tail the last",
}

_NEW = {"new_users": "new_user", "new_items": "new_item"}


def slice_tree(
    evaluations: Sequence[Evaluation],
    cohort: Cohort,
    *,
    k: int,
    split: Mapping[str, Any],
    evaluate: EvaluateConfig,
) -> dict[str, Any]:
    """Every model's accuracy at the cut-off `k`, slice by slice, with intervals; slices without anybody are left out.

    "user_activity": users by the number of distinct items they are known by. "item_popularity": the recall of the
    items of each of BANDS. "new_users" and "new_items": how much of the holdout is theirs and was left out, as
    `split` says (dropped and dropped_users of `Split`): nothing is known of them, so nothing can be judged.
    """
    return {
        "k": k,
        "user_activity": list(_by_activity(evaluations, cohort.n_history, evaluate, k)),
        "item_popularity": list(_by_popularity(evaluations, cohort, evaluate, k)),
        **{
            name: {"pairs": split["dropped"].get(reason, 0), "users": split["dropped_users"].get(reason, 0)}
            for name, reason in _NEW.items()
        },
        "definitions": _MEANINGS,
    }


def _by_activity(
    evaluations: Sequence[Evaluation], n_history: NDArray[np.int32], evaluate: EvaluateConfig, k: int
) -> Iterator[dict[str, Any]]:
    at = np.searchsorted(ACTIVITY_BOUNDS, n_history, side="right") - 1
    for bucket in np.unique(at):
        rows = at == bucket
        least, most = ACTIVITY_BOUNDS[bucket], [*ACTIVITY_BOUNDS[1:], None][bucket]
        columns = {
            each.name: {name: each.per_user[name][rows] for name in accuracy_names((k,))} for each in evaluations
        }
        yield {"slice": _span(least, most), "users": int(rows.sum()), "models": figures_of(columns, evaluate)}


def _span(least: int, beyond: int | None) -> str:
    if beyond is None:
        return f"{least} or more"
    return f"{least} to {beyond - 1}" if beyond > least + 1 else str(least)


def _by_popularity(
    evaluations: Sequence[Evaluation], cohort: Cohort, evaluate: EvaluateConfig, k: int
) -> Iterator[dict[str, Any]]:
    band_of_item = popularity_bands(cohort.popularity)
    relevant = np.bincount(band_of_item[cohort.holdout.indices], minlength=len(BANDS))
    for number, band in enumerate(BANDS):
        if relevant[number] == 0:
            continue
        n_users = cohort.popularity[band_of_item == number]
        columns = {each.name: {f"recall@{k}": each.by_band[band][f"recall@{k}"]} for each in evaluations}
        yield {
            "slice": band,
            "items": len(n_users),
            "training_users": [int(n_users.min()), int(n_users.max())],
            "relevant": int(relevant[number]),
            "models": figures_of(columns, evaluate),
        }
