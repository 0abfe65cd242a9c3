"""Evaluator: lists of any recommender for every user of a split, and their metrics."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from recsys.data.arrays import Floats, Indices
from recsys.data.matrix import Csr
from recsys.data.splits.split import Split
from recsys.errors import DataError, ModelError
from recsys.evaluation.definitions import metric_names, split_name
from recsys.evaluation.measures import BANDS, BY_USERS, Measures, contains
from recsys.evaluation.metrics import ACCURACY, Bools, Values
from recsys.evaluation.results import Evaluation
from recsys.map_ordered import map_ordered
from recsys.models.recommender import Queries, Recommender
from recsys.progress import Progress, silent
from recsys.retrieval.topk import TopK

SCORES_PER_BATCH = 64_000_000
"""Maximum number of scores (users x items) in a batch, if a model scores every item: 256 MB of float32."""

_MAX_BATCH = 4096

KEPT_PLACES = 20
"""Places of each list that are kept with its metrics."""


def evaluate(
    recommender: Recommender,
    split: Split,
    *,
    cutoffs: Sequence[int],
    item_vectors: Floats | None = None,
    scores_per_batch: int = SCORES_PER_BATCH,
    kept_places: int = KEPT_PLACES,
    progress: Progress = silent,
) -> Evaluation:
    """Get the best max(cutoffs) items of `recommender` for every user of `split`, and measure the lists.

    All items that the split does not leave out for a user are ranked; nothing is sampled. `item_vectors`: float32
    (n_items, d), used for diversity, the same for every model; without them diversity is left out. `scores_per_batch`
    bounds the memory: a batch has about scores_per_batch / n_items users. `kept_places`: length of the lists that are
    kept. Raises ModelError if a list holds a seen, repeated or unknown item, DataError if no user can be evaluated.
    """
    _check_evaluable(split)
    started = time.perf_counter()
    measures = Measures.of(split, cutoffs, item_vectors)
    measured = measure_users(
        recommender,
        Queries(split.queries_history, split.user_idx, split.queries_seen),
        split.holdout,
        measures,
        scores_per_batch=scores_per_batch,
        kept_places=kept_places,
        progress=progress,
    )
    return evaluation_of(recommender.name, [measured], measures, seconds=time.perf_counter() - started)


@dataclass(frozen=True, eq=False)
class MeasuredUsers:
    """What came of the lists of some users.

    `per_user`: metric to float64 (n, n_cutoffs). `bands`: a slice of items to its recall, the same. `lists`: int32
    (n, kept places). `n_short`: lists shorter than the largest cut-off. `recommended`: bool (n_cutoffs, n_items), the
    items in the first k places of any list.
    """

    per_user: Mapping[str, Values]
    bands: Mapping[str, Values]
    lists: Indices
    n_short: int
    recommended: Bools


def measure_users(
    recommender: Recommender,
    queries: Queries,
    relevant: Csr,
    measures: Measures,
    *,
    scores_per_batch: int = SCORES_PER_BATCH,
    kept_places: int = KEPT_PLACES,
    progress: Progress = silent,
) -> MeasuredUsers:
    """The lists for `queries`, at least one, measured. `relevant`: float32 (n, n_items), of each query.

    Raises ModelError if a list holds a seen, repeated or unknown item.
    """
    recommended = np.zeros((len(measures.cutoffs), measures.n_items), np.bool_)
    answers = _answers(recommender, queries, measures, scores_per_batch, progress)
    # One batch is measured while the recommender works on the next.
    measure = partial(_measure, recommender.name, measures, recommended, kept_places, relevant)
    return _joined(list(map_ordered(lambda answer: measure(*answer), answers)), recommended)


def evaluation_of(name: str, parts: Sequence[MeasuredUsers], measures: Measures, *, seconds: float) -> Evaluation:
    """The evaluation of the model `name` from parts of its users, in their order; at least one."""
    whole = _joined(parts, np.logical_or.reduce([part.recommended for part in parts]))
    return Evaluation(
        name=name,
        per_user=_columns(whole.per_user, measures.cutoffs),
        overall=measures.coverage(whole.recommended),
        n_short=whole.n_short,
        seconds=seconds,
        by_band={band: _columns({"recall": whole.bands[band]}, measures.cutoffs) for band in (*BANDS, *BY_USERS)},
        lists=whole.lists,
    )


def score_lists(answer: TopK, relevant: Csr, metric: str) -> Values:
    """float64 (n,): one accuracy metric ("ndcg@20") of each list, as `evaluate` computes it, without checks.

    `relevant`: canonical CSR (n, n_items), at least one item per row. Used to compare many models on the same users
    quickly.
    """
    name, k = split_name(metric)
    n_relevant = np.diff(relevant.indptr).astype(np.int64)
    return ACCURACY[name](contains(relevant, answer), n_relevant, (k,))[:, 0]


def _measure(
    name: str,
    measures: Measures,
    recommended: Bools,
    kept: int,
    relevant: Csr,
    queries: Queries,
    rows: slice,
    answer: TopK,
) -> MeasuredUsers:
    """Check and measure one batch, and mark its items. Safe in several threads, because marks are only ever set."""
    check_answer(name, answer, queries.left_out, measures.cutoffs[-1])
    _mark(recommended, answer, measures.cutoffs)
    hits = contains(relevant[rows], answer)
    return MeasuredUsers(
        per_user=measures.per_user(answer, hits, relevant[rows]),
        bands=measures.by_band(answer, hits, relevant[rows]),
        lists=answer.indices[:, :kept].copy(),
        n_short=int((answer.counts < answer.k).sum()),
        recommended=recommended,
    )


def _joined(parts: Sequence[MeasuredUsers], recommended: Bools) -> MeasuredUsers:
    """One after the other."""
    first = parts[0]
    return MeasuredUsers(
        per_user={name: np.concatenate([part.per_user[name] for part in parts]) for name in first.per_user},
        bands={name: np.concatenate([part.bands[name] for part in parts]) for name in first.bands},
        lists=np.concatenate([part.lists for part in parts]),
        n_short=sum(part.n_short for part in parts),
        recommended=recommended,
    )


def _check_evaluable(split: Split) -> None:
    if len(split.user_ids) == 0:
        reasons = ", ".join(f"{count} {reason}" for reason, count in split.dropped_users.items() if count)
        raise DataError(f"split: no user can be evaluated; left out: {reasons or 'none'}")


def _answers(
    recommender: Recommender, queries: Queries, measures: Measures, scores_per_batch: int, progress: Progress
) -> Iterator[tuple[Queries, slice, TopK]]:
    """All queries in batches of bounded size: a batch, its rows, the answer."""
    size = min(_MAX_BATCH, max(1, scores_per_batch // measures.n_items))
    for start in range(0, len(queries), size):
        batch = queries.batch(start, start + size)
        answer = recommender.recommend(batch, measures.cutoffs[-1])
        yield batch, slice(start, start + len(batch)), answer
        progress(f"evaluate {recommender.name}", start + len(batch), len(queries))


def _mark(recommended: Bools, answer: TopK, cutoffs: Sequence[int]) -> None:
    """Set `recommended` (n_cutoffs, n_items) for the items in the first k places of any list."""
    for row, k in zip(recommended, cutoffs, strict=True):
        row[answer.indices[:, :k][answer.filled[:, :k]]] = True


def _columns(tables: Mapping[str, Values], cutoffs: Sequence[int]) -> dict[str, Values]:
    """The tables, float64 (n, n_cutoffs), as one column per metric and cut-off, "recall@20": float64 (n,)."""
    columns = {f"{name}@{k}": table[:, at].copy() for name, table in tables.items() for at, k in enumerate(cutoffs)}
    return {name: columns[name] for name in metric_names(cutoffs) if name in columns}


def check_answer(name: str, answer: TopK, left_out: Csr, k: int) -> None:
    """Raise ModelError, naming the model, unless `answer` has one valid list per row of `left_out` (n, n_items).

    A valid list has k places, holds items of the catalogue, none of them twice, and none that is left out.
    """
    if answer.indices.shape != (left_out.shape[0], k):
        raise ModelError(f"{name}: lists of shape {answer.indices.shape}, expected ({left_out.shape[0]}, {k})")
    items = answer.indices[answer.filled]
    if len(items) and (items.min() < 0 or items.max() >= left_out.shape[1]):
        raise ModelError(
            f"{name}: recommended items {items.min()} to {items.max()}, expected 0 to {left_out.shape[1] - 1}"
        )
    _refuse(name, "the same item twice", _repeated(answer))
    _refuse(name, "an item that is left out, because the user has seen it,", contains(left_out, answer))


def _repeated(answer: TopK) -> Bools:
    """bool (n, k - 1): whether a list, once sorted, has the same item at two neighbouring places."""
    ranked = np.sort(np.where(answer.filled, answer.indices, -1), axis=1)
    same: Bools = (ranked[:, 1:] == ranked[:, :-1]) & (ranked[:, 1:] >= 0)
    return same


def _refuse(name: str, what: str, wrong: Bools) -> None:
    if wrong.any():
        raise ModelError(f"{name}: recommended {what} to {int(wrong.any(axis=1).sum())} of {len(wrong)} users")
