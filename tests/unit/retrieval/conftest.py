"""Exact search as one would write it down, slowly."""

from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse as sp

from recsys.data.arrays import Floats
from recsys.data.matrix import Csr
from recsys.retrieval.topk import TopK

Answers = list[list[tuple[int, float]]]


def _naive(scores: Floats, k: int, exclude: Csr | None = None) -> Answers:
    allowed = scores > -np.inf
    if exclude is not None:
        allowed &= exclude.toarray() == 0
    return [
        [(int(at), float(row[at])) for at in sorted(np.flatnonzero(kept), key=lambda at: (-row[at], at))[:k]]
        for row, kept in zip(scores, allowed, strict=True)
    ]


def _answers(top: TopK) -> Answers:
    return [list(zip(indices.tolist(), scores.tolist(), strict=True)) for indices, scores in top.rows()]


@pytest.fixture(scope="session")
def naive_top_k() -> Callable[..., Answers]:
    """Every row sorted whole: (score, lower index) first, -inf and excluded columns left out."""
    return _naive


@pytest.fixture(scope="session")
def answers() -> Callable[[TopK], Answers]:
    """What a TopK holds, as lists of (index, score)."""
    return _answers


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture(scope="session")
def excluded() -> Callable[..., Csr]:
    """Canonical CSR with the given columns stored in each row."""

    def build(rows: list[list[int]], n_items: int) -> Csr:
        row = np.repeat(np.arange(len(rows)), [len(columns) for columns in rows])
        columns = np.array([column for columns in rows for column in sorted(columns)], np.int32)
        return sp.csr_matrix((np.ones(len(row), np.float32), (row, columns)), shape=(len(rows), n_items))

    return build
