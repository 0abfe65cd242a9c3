"""Metrics of another library on lists and a holdout, in a process of its own; peer_metrics.py starts it.

    PYTHON benchmarks/library_metrics.py LIBRARY LISTS HOLDOUT

LISTS: int32 (n, k) as npy, -1 at empty places. HOLDOUT: CSR (n, n_items) as npz. Prints JSON: our name of a metric to
a list of [what the library calls it, the mean over the users].
"""

import json
import sys
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Named = dict[str, tuple[tuple[str, float], ...]]


def main() -> None:
    """Print the means of one library."""
    library, lists, holdout = sys.argv[1:]
    print(json.dumps(LIBRARIES[library](np.load(lists), sp.csr_matrix(sp.load_npz(holdout)))))


def rectools(lists: NDArray[np.int32], holdout: sp.csr_matrix) -> Named:
    """RecTools, also with the options that change a denominator."""
    from rectools.metrics import MAP, MRR, NDCG, HitRate, Precision, Recall, calc_metrics

    k = lists.shape[1]
    ours = {
        "recall": {"Precision(r_precision=True)": Precision(k, r_precision=True)},
        "recall_hits": {"Recall": Recall(k)},
        "ndcg": {"NDCG(divide_by_achievable=True)": NDCG(k, divide_by_achievable=True), "NDCG": NDCG(k)},
        "precision": {"Precision": Precision(k)},
        "map": {"MAP": MAP(k)},
        "mrr": {"MRR": MRR(k)},
        "hit_rate": {"HitRate": HitRate(k)},
    }
    metrics = {name: metric for each in ours.values() for name, metric in each.items()}
    found = calc_metrics(metrics, _frame(*_places(lists), "rank"), _frame(*_pairs(holdout)))
    return {name: tuple((each, float(found[each])) for each in theirs) for name, theirs in ours.items()}


def ranx(lists: NDArray[np.int32], holdout: sp.csr_matrix) -> Named:
    """ranx, whose lists are sorted by score."""
    from ranx import Qrels, Run, evaluate

    k = lists.shape[1]
    users, items, ranks = (array.astype(float if at == 2 else str) for at, array in enumerate(_places(lists)))
    run: dict[str, dict[str, float]] = {str(user): {} for user in range(len(lists))}
    for user, item, rank in zip(users, items, ranks, strict=True):
        run[user][item] = k - rank
    relevant: dict[str, dict[str, int]] = {}
    for user, item in zip(*(array.astype(str) for array in _pairs(holdout)), strict=True):
        relevant.setdefault(user, {})[item] = 1
    names = {"recall_hits": "recall", "ndcg": "ndcg", "precision": "precision", "map": "map", "mrr": "mrr"}
    names["hit_rate"] = "hit_rate"
    found = evaluate(Qrels(relevant), Run(run), [f"{name}@{k}" for name in names.values()], make_comparable=True)
    return {ours: ((name, float(found[f"{name}@{k}"])),) for ours, name in names.items()}


def lenskit(lists: NDArray[np.int32], holdout: sp.csr_matrix) -> Named:
    """LensKit, also with the discount that we use."""
    from lenskit.data import ItemList
    from lenskit.metrics import NDCG, Hit, Precision, Recall, RecipRank
    from lenskit.metrics.ranking import AveragePrecision, LogRankWeight

    k = lists.shape[1]
    ours: dict[str, dict[str, Any]] = {
        "recall": {"Recall": Recall(k)},
        "ndcg": {"NDCG(weight=LogRankWeight(offset=1))": NDCG(k, weight=LogRankWeight(offset=1)), "NDCG": NDCG(k)},
        "precision": {"Precision": Precision(k)},
        "map": {"AveragePrecision": AveragePrecision(k)},
        "mrr": {"RecipRank": RecipRank(k)},
        "hit_rate": {"Hit": Hit(k)},
    }
    listed = [ItemList(item_ids=row[row >= 0], ordered=True) for row in lists]
    relevant = [ItemList(item_ids=row) for row in np.split(holdout.indices, holdout.indptr[1:-1])]

    def mean(metric: Any) -> float:
        return float(np.mean([metric.measure_list(*pair) for pair in zip(listed, relevant, strict=True)]))

    return {name: tuple((each, mean(metric)) for each, metric in theirs.items()) for name, theirs in ours.items()}


def _places(lists: NDArray[np.int32]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """User, item and rank (from 1) of every filled place."""
    user, place = np.nonzero(lists >= 0)
    return user, lists[user, place], place + 1


def _pairs(holdout: sp.csr_matrix) -> tuple[NDArray[Any], NDArray[Any]]:
    entries = holdout.tocoo()
    return entries.row, entries.col


def _frame(user: NDArray[Any], item: NDArray[Any], rank: NDArray[Any] | None = None, name: str = "") -> Any:
    import pandas as pd

    columns = {"user_id": user, "item_id": item}
    return pd.DataFrame(columns if rank is None else {**columns, name: rank})


LIBRARIES = {"rectools": rectools, "ranx": ranx, "lenskit": lenskit}


if __name__ == "__main__":
    main()
