"""Drawing many things at once, each from the pool of its own genre, the popular ones more often."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Indices


@dataclass(frozen=True, eq=False)
class GenrePool:
    """Things by genre. `ids`: int32 (n,), grouped by genre. `upto`: float64 (n,), genre + cumulative share in it."""

    ids: Indices
    upto: NDArray[np.float64]

    def draw(self, genre: NDArray[Any], rng: np.random.Generator) -> Indices:
        """One thing for each entry of `genre`: int32, in the shape of `genre`."""
        at = np.searchsorted(self.upto, genre + rng.random(genre.shape), side="right")
        return self.ids[np.minimum(at, len(self.ids) - 1)]


def make_pool(genre: NDArray[Any], popularity: NDArray[np.float64]) -> GenrePool:
    """The pools of things with these genres (n,), every genre from 0 up at least once, and weights (n,)."""
    order = np.argsort(genre, kind="stable").astype(np.int32)
    summed = np.cumsum(popularity[order])
    last = np.searchsorted(genre[order], np.arange(genre.max() + 1), side="right") - 1
    before = np.concatenate([[0.0], summed[last[:-1]]])[genre[order]]
    total = (summed[last] - np.concatenate([[0.0], summed[last[:-1]]]))[genre[order]]
    upto = genre[order] + (summed - before) / total
    upto[last] = np.arange(len(last)) + 1.0
    return GenrePool(order, upto)


def zipf_popularity(genre: NDArray[Any], rng: np.random.Generator) -> NDArray[np.float64]:
    """Weights (n,) that fall with a random rank within the genre as 1 / (rank + 3) ** 0.9."""
    order = np.lexsort((rng.random(len(genre)), genre))
    sizes = np.bincount(genre)
    rank = np.arange(len(genre)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    popularity = np.empty(len(genre))
    popularity[order] = (rank + 3.0) ** -0.9
    return popularity


def shares(n: int) -> NDArray[np.float64]:
    """Shares (n,) that fall gently and sum to 1: how many titles and readers each genre has."""
    weights = 1.0 / (np.arange(n) + 4.0)
    return np.asarray(weights / weights.sum(), np.float64)


def quotas(total: int, n: int) -> NDArray[np.int64]:
    """`total` >= n split over n genres by `shares`, none left without one."""
    ends = np.rint(np.cumsum(shares(n)) * (total - n)).astype(np.int64)
    return np.diff(ends, prepend=0) + 1
