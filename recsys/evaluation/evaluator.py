"""Any recommender, asked about every user of a split, measured."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from recsys.data.arrays import Floats, Indices
from recsys.data.matrix import Csr
from recsys.data.splits.split import Split
from recsys.errors import ArtifactError, DataError
from recsys.evaluation.answers import check_answer, contains
from recsys.evaluation.bands import BANDS
from recsys.evaluation.definitions import metric_names, split_name
from recsys.evaluation.measures import Measures
from recsys.evaluation.metrics import ACCURACY, Bools, Values
from recsys.evaluation.significance import mean_of
from recsys.map_ordered import map_ordered
from recsys.models.recommender import Queries, Recommender
from recsys.progress import Progress, silent
from recsys.retrieval.topk import TopK

SCORES_PER_BATCH = 64_000_000
"""Most scores (users x items) that a model computes at once, if it scores every item: 256 MB of float32."""

_MAX_BATCH = 4096

KEPT_PLACES = 20
"""Places of each list that are kept with its metrics."""

_LISTS = "lists"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What one model reached on one split.

    `per_user`: metric ("recall@20") to float64 (n_users,), in the order of the split; NaN where the metric does not
    exist for a user (novelty of an empty list). `overall`: metrics of all users together ("coverage@20").
    `n_short`: users whose list is shorter than the largest cut-off. `seconds`: how long it took. `by_band`: one of
    BANDS to the recall of its items ("recall@20"), float64 (n_users,), NaN where none of them is relevant to a user.
    `lists`: int32 (n_users, KEPT_PLACES or the largest cut-off), the items in the first places, PAD where there are
    none, to show and to compare.
    """

    name: str
    per_user: Mapping[str, Values]
    overall: Mapping[str, float]
    n_short: int
    seconds: float
    by_band: Mapping[str, Mapping[str, Values]] = field(default_factory=dict)
    lists: Indices = field(default_factory=lambda: np.empty((0, 0), np.int32))

    @property
    def n_users(self) -> int:
        """Evaluated users."""
        return len(next(iter(self.per_user.values())))

    def means(self) -> dict[str, float]:
        """Every metric as one figure: the mean over the users for whom it exists (else NaN), or the overall one."""
        return {metric: mean_of(values) for metric, values in self.per_user.items()} | dict(self.overall)

    def save(self, path: Path) -> None:
        """Write an Arrow file: a row a user, a column a per-user metric, the rest in the schema's metadata."""
        rest = {"name": self.name, "overall": dict(self.overall), "n_short": self.n_short, "seconds": self.seconds}
        banded = {
            f"{band}/{metric}": values for band, table in self.by_band.items() for metric, values in table.items()
        }
        table = pa.table(
            {**self.per_user, **banded, _LISTS: _column(self.lists, self.n_users)}
        ).replace_schema_metadata({"evaluation": json.dumps(rest)})
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as out:
            out.write_table(table)

    @staticmethod
    def load(path: Path) -> "Evaluation":
        """Read what `save` wrote. Raises ArtifactError where it is missing or damaged."""
        try:
            table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
            rest = json.loads(table.schema.metadata[b"evaluation"])
            lists = table.column(_LISTS).combine_chunks()
            columns = {name: table.column(name).to_numpy() for name in table.column_names if name != _LISTS}
            shape = (table.num_rows, lists.type.list_size)
            return Evaluation(**_by_kind(columns), **rest, lists=lists.flatten().to_numpy().reshape(shape))
        except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{path}: expected an Arrow file of an evaluation: {error}") from error


def _by_kind(columns: Mapping[str, Values]) -> dict[str, Any]:
    """The columns of a file as the fields of Evaluation: "recall@20" of all items, "tail/recall@20" of a band's."""
    fields: dict[str, Any] = {"per_user": {}, "by_band": {}}
    for name, values in columns.items():
        band, _, metric = name.rpartition("/")
        table = fields["by_band"].setdefault(band, {}) if band else fields["per_user"]
        table[metric] = values
    return fields


def _column(lists: Indices, n_users: int) -> Any:
    """`lists` as an Arrow column of `n_users` rows."""
    flat = pa.array(np.ascontiguousarray(lists).ravel(), pa.int32())
    return pa.FixedSizeListArray.from_arrays(flat, len(flat) // n_users)


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
    """Ask `recommender` for the best max(cutoffs) items of every user of `split`, and measure the lists.

    All items outside a user's history are ranked; nothing is sampled. `item_vectors`: float32 (n_items, d), used for
    diversity, the same for every model; without them diversity is left out. `scores_per_batch` bounds the memory:
    a batch has about scores_per_batch / n_items users. `kept_places`: length of the lists that are kept.
    Raises ModelError if a list holds a seen, repeated or unknown item, DataError if no user can be evaluated.
    """
    _check_evaluable(split)
    started = time.perf_counter()
    measures = Measures.of(split, cutoffs, item_vectors)
    recommended = np.zeros((len(measures.cutoffs), split.train.n_items), np.bool_)
    answers = _answers(recommender, split, measures.cutoffs[-1], scores_per_batch, progress)
    # One batch is measured while the recommender works on the next.
    measure = partial(_measure, recommender.name, measures, recommended, kept_places)
    parts = list(map_ordered(partial(measure, *answer) for answer in answers))
    return Evaluation(
        name=recommender.name,
        per_user=_columns([part.per_user for part in parts], measures.cutoffs),
        overall={f"coverage@{k}": float(row.mean()) for k, row in zip(measures.cutoffs, recommended, strict=True)},
        n_short=sum(part.n_short for part in parts),
        seconds=time.perf_counter() - started,
        by_band={b: _columns([{"recall": part.bands[b]} for part in parts], measures.cutoffs) for b in BANDS},
        lists=np.concatenate([part.lists for part in parts]),
    )


def score_lists(answer: TopK, relevant: Csr, metric: str) -> Values:
    """float64 (n,): one accuracy metric ("ndcg@20") of each list, as `evaluate` computes it; nothing is checked.

    `relevant`: canonical CSR (n, n_items), the items to find, at least one per row. For a search that scores many
    models on the same users.
    """
    name, k = split_name(metric)
    n_relevant = np.diff(relevant.indptr).astype(np.int64)
    return ACCURACY[name](contains(relevant, answer), n_relevant, (k,))[:, 0]


@dataclass(frozen=True, eq=False)
class _Part:
    """What is kept of one batch of users."""

    per_user: Mapping[str, Values]
    bands: Mapping[str, Values]
    lists: Indices
    n_short: int


def _measure(
    name: str, measures: Measures, recommended: Bools, kept: int, queries: Queries, rows: slice, answer: TopK
) -> _Part:
    """Check and measure one batch, and mark its items. Safe in several threads, because marks are only ever set."""
    check_answer(name, answer, queries.history, measures.cutoffs[-1])
    _mark(recommended, answer, measures.cutoffs)
    hits = measures.hits(answer, rows)
    return _Part(
        per_user=measures.per_user(answer, hits, rows),
        bands=measures.by_band(answer, hits, rows),
        lists=answer.indices[:, :kept].copy(),
        n_short=int((answer.counts < answer.k).sum()),
    )


def _check_evaluable(split: Split) -> None:
    if len(split.user_ids) == 0:
        reasons = ", ".join(f"{count} {reason}" for reason, count in split.dropped_users.items() if count)
        raise DataError(f"split: no user can be evaluated; left out: {reasons or 'none'}")


def _answers(
    recommender: Recommender, split: Split, k: int, scores_per_batch: int, progress: Progress
) -> Iterator[tuple[Queries, slice, TopK]]:
    """All queries in batches of bounded size: a batch, its rows of the split, the answer."""
    queries = Queries(split.queries_history, split.user_idx)
    size = min(_MAX_BATCH, max(1, scores_per_batch // split.train.n_items))
    for start in range(0, len(queries), size):
        batch = queries.batch(start, start + size)
        answer = recommender.recommend(batch, k)
        yield batch, slice(start, start + len(batch)), answer
        progress(f"evaluate {recommender.name}", start + len(batch), len(queries))


def _mark(recommended: Bools, answer: TopK, cutoffs: Sequence[int]) -> None:
    """Set `recommended` (n_cutoffs, n_items) where an item stands in anybody's first k places."""
    for row, k in zip(recommended, cutoffs, strict=True):
        row[answer.indices[:, :k][answer.filled[:, :k]]] = True


def _columns(parts: Sequence[Mapping[str, Values]], cutoffs: Sequence[int]) -> dict[str, Values]:
    """The batches' tables as one column a metric and cut-off, "recall@20": float64 (n_eval,)."""
    tables = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    columns = {f"{name}@{k}": table[:, at].copy() for name, table in tables.items() for at, k in enumerate(cutoffs)}
    return {name: columns[name] for name in metric_names(cutoffs) if name in columns}
