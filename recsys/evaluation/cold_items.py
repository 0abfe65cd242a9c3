"""Items that a fit of their own never saw, or saw with a few users: what content brings them, beside simpler ways."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.config import EvaluateConfig
from recsys.content.space import ContentSpace
from recsys.data.arrays import Bools, Doubles, Floats, Indices
from recsys.data.attributes import as_plain
from recsys.data.items import TITLE, Items
from recsys.data.matrix import Csr, InteractionMatrix, csr_from_pairs, presence
from recsys.evaluation.cold_start import ColdItemsOfSlice, ColdItemsSummary, MeanOfUsers
from recsys.evaluation.evaluator import score_lists
from recsys.evaluation.metrics import Values
from recsys.evaluation.significance import mean_interval
from recsys.models.factors.model import FactorModel
from recsys.retrieval.topk import TopK, select_top_k

SLICES = ((0, 0), (1, 5), (6, 10))
"""Users that the items of a slice keep: from and to."""

Longs = NDArray[np.int64]

SHARE, MOST_ITEMS, MOST_USERS, MOST_WARM = 0.1, 1_500, 1_000, 11
_SCORES_AT_ONCE = 2**23

Scores = Callable[[slice], Floats]
"""From some of the users to float32 (n, n_items), written to by the caller; -inf for an item that has no score."""


@dataclass(frozen=True, eq=False)
class ColdItems:
    """A training matrix from which the users of some items are taken, and those users.

    `items`: int32 (n,), ascending. `slice_of`: int32 (n,), their place in SLICES. `users`: int32 (n_users,), rows of
    `train`. `relevant`: float32 CSR (n_users, n_items), what was taken from them.
    """

    train: InteractionMatrix
    items: Indices
    slice_of: Indices
    users: Indices
    relevant: Csr


def draw_cold_items(matrix: InteractionMatrix, able: Bools, *, seed: int) -> ColdItems | None:
    """A tenth of the items of `matrix` that are `able`, bool (n_items,), in turn for each slice; None if too few are.

    Items with few users are left out: they could not keep any and lose others. Everything is drawn by `seed`.
    """
    rng = np.random.default_rng(seed)
    candidates = np.flatnonzero(able & (matrix.item_degree > MOST_WARM))
    n = min(round(SHARE * len(candidates)), MOST_ITEMS)
    if n < 2 * len(SLICES):
        return None
    items = np.sort(rng.choice(candidates, n, replace=False)).astype(np.int32)
    slice_of = (np.arange(n) % len(SLICES)).astype(np.int32)
    low, high = np.array(SLICES).T
    keeps = np.zeros(matrix.n_items, np.int64)
    keeps[items] = rng.integers(low[slice_of], high[slice_of] + 1)
    stays = _stays(matrix.csr, items, keeps, rng)
    row = np.repeat(np.arange(matrix.n_users, dtype=np.int32), np.diff(matrix.csr.indptr))
    train, taken = (_some(matrix.csr, row, some) for some in (stays, ~stays))
    able_users = np.flatnonzero((np.diff(taken.indptr) > 0) & (np.diff(train.indptr) > 0))
    users = np.sort(rng.choice(able_users, min(len(able_users), MOST_USERS), replace=False)).astype(np.int32)
    if len(users) < 2:
        return None
    rest = InteractionMatrix(matrix.users, matrix.items, train)
    return ColdItems(rest, items, slice_of.astype(np.int32), users, taken[users])


def _stays(csr: Csr, items: Indices, keeps: Longs, rng: np.random.Generator) -> Bools:
    """bool (nnz,): all entries but those of `items`, of which each keeps as many as `keeps`, (n_items,), says."""
    stays = np.ones(csr.nnz, np.bool_)
    cold = np.zeros(csr.shape[1], np.bool_)
    cold[items] = True
    entries = rng.permutation(np.flatnonzero(cold[csr.indices]))
    order = entries[np.argsort(csr.indices[entries], kind="stable")]
    columns = csr.indices[order]
    first = np.searchsorted(columns, columns)
    stays[order] = np.arange(len(order)) - first < keeps[columns]
    return stays


def _some(csr: Csr, row: Indices, some: Bools) -> Csr:
    return csr_from_pairs(row[some], csr.indices[some], csr.data[some], csr.shape)


def measure_cold_items(
    task: ColdItems,
    plain: FactorModel,
    completed: FactorModel,
    space: ContentSpace,
    items: Items,
    *,
    metric: str,
    evaluate: EvaluateConfig,
    seed: int,
) -> ColdItemsSummary:
    """Rank the items of every slice for the users they were taken from, among themselves and among all.

    `plain`, `completed`: fitted on `task.train`. `space`: with the chosen weights. `items`: of the same map.
    """
    ways: Mapping[str, Scores] = {
        "random": lambda rows: _random(rows, task, seed),
        "popular in category": _popular_in_category(items, task),
        "content alone": _content_alone(space, task),
        "without content": _of_model(plain, task),
        "with content": _of_model(completed, task),
    }
    values = {name: _measured(scores, task, metric) for name, scores in ways.items()}
    slices = [
        ColdItemsOfSlice(
            users_of_item=f"{low} to {high}" if high > low else str(low),
            n_items=int((task.slice_of == at).sum()),
            n_users=len(next(iter(values.values()))[at][0]),
            among_cold={name: _mean(each[at][0], evaluate) for name, each in values.items()},
            among_all={name: _mean(each[at][1], evaluate) for name, each in values.items()},
        )
        for at, (low, high) in enumerate(SLICES)
    ]
    return ColdItemsSummary(metric=metric, n_items=len(task.items), slices=tuple(slices))


def _mean(values: Values, evaluate: EvaluateConfig) -> MeanOfUsers:
    if not len(values):
        return MeanOfUsers(mean=0.0)
    rng = np.random.default_rng(evaluate.seed)
    found = mean_interval(values, samples=evaluate.bootstrap, confidence=evaluate.confidence, rng=rng)
    return MeanOfUsers(mean=found.mean, low=found.low, high=found.high)


def _measured(scores: Scores, task: ColdItems, metric: str) -> list[tuple[Values, Values]]:
    """For each slice, the metric of every user of it, among the items of the slice and among all."""
    k, relevant = int(metric.rsplit("@", 1)[1]), [task.relevant[:, _of(task, at)] for at in range(len(SLICES))]
    parts: list[tuple[list[Values], list[Values]]] = [([], []) for _ in SLICES]
    for rows in _blocks(task):
        block = scores(rows)
        seen = task.train.csr[task.users[rows]]
        block[np.repeat(np.arange(len(block)), np.diff(seen.indptr)), seen.indices] = -np.inf
        whole = select_top_k(block, k)
        for at, (among_cold, among_all) in enumerate(parts):
            of_slice = relevant[at][rows]
            own = np.flatnonzero(np.diff(of_slice.indptr))
            few = select_top_k(np.ascontiguousarray(block[own][:, _of(task, at)]), k)
            among_cold.append(score_lists(few, of_slice[own], metric))
            there = _over_all(of_slice[own], _of(task, at), task.train.n_items)
            lists = TopK(whole.indices[own], whole.scores[own], whole.counts[own])
            among_all.append(score_lists(lists, there, metric))
    return [(np.concatenate(few), np.concatenate(whole)) for few, whole in parts]


def _of(task: ColdItems, at: int) -> Indices:
    of_slice: Indices = task.items[task.slice_of == at]
    return of_slice


def _over_all(csr: Csr, columns: Indices, n_items: int) -> Csr:
    return Csr((csr.data, columns[csr.indices], csr.indptr), shape=(csr.shape[0], n_items))


def _blocks(task: ColdItems) -> Iterator[slice]:
    size = max(1, _SCORES_AT_ONCE // task.train.n_items)
    return (slice(start, start + size) for start in range(0, len(task.users), size))


def _random(rows: slice, task: ColdItems, seed: int) -> Floats:
    rng = np.random.default_rng([seed, rows.start])
    return rng.random((len(task.users[rows]), task.train.n_items), dtype=np.float32)


def _of_model(model: FactorModel, task: ColdItems) -> Scores:
    users, items = model.embeddings.users, model.embeddings.scoring_items
    unknown = ~items.any(axis=1)

    def scores(rows: slice) -> Floats:
        block: Floats = users[task.users[rows]] @ items.T
        if model.neighbours is not None:
            block += model.neighbours.added(task.train.csr[task.users[rows]]).toarray()
        block[:, unknown] = -np.inf
        return block

    return scores


def _content_alone(space: ContentSpace, task: ColdItems) -> Scores:
    """The product of an item's content with the sum of those of the history: the cosine, up to a factor per user."""
    vectors = space.vectors
    unknown = ~vectors.any(axis=1)

    def scores(rows: slice) -> Floats:
        block: Floats = (presence(task.train.csr[task.users[rows]]) @ vectors) @ vectors.T
        block[:, unknown] = -np.inf
        return block

    return scores


def _popular_in_category(items: Items, task: ColdItems) -> Scores:
    """Mean training users of the items with the same value of the first attribute that groups items."""
    group = _categories(items)
    degree = task.train.item_degree.astype(np.float64)
    of_group: Doubles = np.bincount(group, degree) / np.maximum(np.bincount(group, degree > 0), 1)
    return lambda rows: np.tile(of_group[group].astype(np.float32), (len(task.users[rows]), 1))


def _categories(items: Items) -> Longs:
    """int (n_items,): a number per value of the first text attribute that has fewer values than half the items."""
    for name, kind in items.kinds.items():
        if name == TITLE or kind not in ("text", "list"):
            continue
        values = [str(as_plain(value)) for value in items.table.column(name).to_pylist()]
        names, group = np.unique(np.array(values), return_inverse=True)
        if 1 < len(names) < len(values) / 2:
            return group.astype(np.int64)
    return np.zeros(len(items.ids), np.int64)
