"""A catalogue of two topics that share no word, and histories of two groups."""

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp

from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.data.matrix import InteractionMatrix

TOPICS = (
    ["pasta", "sauce", "olive", "cheese", "basil", "oven"],
    ["engine", "wheel", "brake", "piston", "clutch", "diesel"],
)


@pytest.fixture(scope="session")
def items_of() -> Callable[[Sequence[str | None]], Items]:
    """items_of(titles): items i000, i001 ... with these titles."""

    def made(titles: Sequence[str | None]) -> Items:
        ids, _ = IdMap.of(pa.array([f"i{at:03}" for at in range(len(titles))]))
        return Items(ids, pa.table({"title": pa.array(titles, pa.string())}))

    return made


@pytest.fixture(scope="session")
def topics(items_of: Callable[[Sequence[str | None]], Items]) -> Items:
    """120 titles of four words, in turn of the first and of the second topic; no two have to share a word."""
    rng = np.random.default_rng(3)
    return items_of([" ".join(rng.permutation(TOPICS[at % 2])[:4]) for at in range(120)])


@pytest.fixture(scope="session")
def groups() -> InteractionMatrix:
    """80 users of 12 items of one of two groups of 20; the last item, i040, has no user, i039 one who has only it."""
    rng = np.random.default_rng(4)
    dense = np.zeros((81, 41), np.float32)
    for user in range(80):
        dense[user, (user % 2) + 2 * rng.permutation(20 - user % 2)[:12]] = 1
    dense[80, 39] = 1
    users, _ = IdMap.of(pa.array([f"u{at:03}" for at in range(81)]))
    items, _ = IdMap.of(pa.array([f"i{at:03}" for at in range(41)]))
    return InteractionMatrix(users, items, sp.csr_matrix(dense))


def apart(vectors: np.ndarray) -> float:
    """How much nearer, by mean cosine, rows of equal parity are than others."""
    cosine = vectors @ vectors.T
    same = np.equal.outer(np.arange(len(vectors)) % 2, np.arange(len(vectors)) % 2)
    np.fill_diagonal(cosine, 0)
    return float(cosine[same].mean() - cosine[~same].mean())


@pytest.fixture(scope="session")
def gap() -> Callable[[np.ndarray], float]:
    """gap(vectors): how much nearer, by mean cosine, rows of equal parity are than others."""
    return apart
