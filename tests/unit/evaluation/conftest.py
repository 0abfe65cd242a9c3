from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pytest

from recsys.data.id_map import IdMap
from recsys.data.matrix import Csr, InteractionMatrix
from recsys.data.splits.split import Split
from recsys.evaluation.record import Record
from recsys.evaluation.results import Evaluation
from recsys.models.recommender import Queries
from recsys.retrieval.topk import PAD, TopK


def top_k(lists: Sequence[Sequence[int]], k: int) -> TopK:
    """Answers as written: each list padded to k places."""
    indices = np.array([[*row, *[PAD] * (k - len(row))] for row in lists], np.int32).reshape(len(lists), k)
    counts = np.array([len(row) for row in lists], np.int32)
    scores = np.where(indices == PAD, -np.inf, -np.arange(k)).astype(np.float32)
    return TopK(indices, scores, counts)


class Listed:
    """A recommender that answers each user of training with the list written down for them."""

    def __init__(self, name: str, lists: Sequence[Sequence[int]]) -> None:
        self.name, self.lists = name, lists
        self.asked: list[int] = []

    def recommend(self, queries: Queries, k: int) -> TopK:
        self.asked.append(len(queries))
        assert queries.user_idx is not None
        return top_k([self.lists[user][:k] for user in queries.user_idx], k)


def csr(rows: Sequence[Sequence[int]], n_items: int) -> Csr:
    dense = np.zeros((len(rows), n_items), np.float32)
    for row, items in enumerate(rows):
        dense[row, list(items)] = 1
    matrix = Csr(dense)
    matrix.indices, matrix.indptr = matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)
    return matrix


def make_split(train: Sequence[Sequence[int]], holdout: Sequence[Sequence[int]], n_items: int) -> Split:
    """Users of training by their items; the first len(holdout) of them are evaluated."""
    users = IdMap(pa.array([f"u{user:03d}" for user in range(len(train))], pa.string()))
    items = IdMap(pa.array([f"i{item:03d}" for item in range(n_items)], pa.string()))
    matrix = InteractionMatrix(users, items, csr(train, n_items))
    rows = np.arange(len(holdout), dtype=np.int32)
    return Split(
        train=matrix,
        queries_history=matrix.csr[rows],
        user_idx=rows,
        user_ids=users.ids.slice(0, len(holdout)),
        holdout=csr(holdout, n_items),
        counts={},
        dropped={},
    )


@pytest.fixture(scope="session")
def listed() -> Callable[..., Listed]:
    return Listed


@pytest.fixture(scope="session")
def split_of() -> Callable[..., Split]:
    return make_split


@pytest.fixture(scope="session")
def answer_of() -> Callable[..., TopK]:
    return top_k


@pytest.fixture(scope="session")
def rows_of() -> Callable[..., Csr]:
    return csr


@pytest.fixture(scope="session")
def evaluation_of() -> Callable[..., Evaluation]:
    """An evaluation of given per-user values, as `evaluate` would return it."""

    def make(name: str, per_user: Mapping[str, Sequence[float]], **overall: float) -> Evaluation:
        values = {metric: np.array(column, np.float64) for metric, column in per_user.items()}
        return Evaluation(name, values, {key.replace("_at_", "@"): value for key, value in overall.items()}, 0, 1.5)

    return make


@pytest.fixture(scope="session")
def record_of() -> Callable[..., Record]:
    """A record of given users, per-user values and lists of items "i0", "i1" ...; users count from `first`."""

    def make(
        per_user: Mapping[str, Sequence[float]],
        *,
        lists: Sequence[Sequence[int]] | None = None,
        first: int = 0,
        n_items: int = 10,
    ) -> Record:
        n_users = len(next(iter(per_user.values())))
        places = np.array(lists if lists is not None else [[0]] * n_users, np.int32)
        return Record(
            users=IdMap(pa.array([f"u{user:04}" for user in range(first, first + n_users)], pa.string())),
            per_user={metric: np.array(values, np.float32) for metric, values in per_user.items()},
            listed=IdMap(pa.array([f"i{item}" for item in range(n_items)], pa.string())),
            lists=places,
            n_items=n_items,
        )

    return make
