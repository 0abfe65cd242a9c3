"""The shop's catalogue: titles in genres, some of them volumes of a series, and pools to draw from by genre."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Floats, Indices
from recsys.data.synthetic.words import GENRES
from recsys.errors import DataError


@dataclass(frozen=True, eq=False)
class GenrePool:
    """Items or series by genre.

    `ids`: int32 (n,), grouped by genre. `upto`: float64 (n,), genre + cumulative share in it.
    """

    ids: Indices
    upto: NDArray[np.float64]

    def draw(self, genre: NDArray[np.integer], rng: np.random.Generator) -> Indices:
        """One id per entry of `genre`: int32, in the shape of `genre`."""
        at = np.searchsorted(self.upto, genre + rng.random(genre.shape), side="right")
        return self.ids[np.minimum(at, len(self.ids) - 1)]


def make_pool(genre: NDArray[np.integer], popularity: NDArray[np.float64]) -> GenrePool:
    """The pool of ids 0 to n - 1 with these genres (n,), each from 0 up at least once, and weights (n,)."""
    order = np.argsort(genre, kind="stable").astype(np.int32)
    summed = np.cumsum(popularity[order])
    last = np.searchsorted(genre[order], np.arange(genre.max() + 1), side="right") - 1
    before = np.concatenate([[0.0], summed[last[:-1]]])[genre[order]]
    total = (summed[last] - np.concatenate([[0.0], summed[last[:-1]]]))[genre[order]]
    upto = genre[order] + (summed - before) / total
    upto[last] = np.arange(len(last)) + 1.0
    return GenrePool(order, upto)


def zipf_popularity(genre: NDArray[np.integer], rng: np.random.Generator) -> NDArray[np.float64]:
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
    """`total` >= n split over n genres by `shares`, at least one each."""
    ends = np.rint(np.cumsum(shares(n)) * (total - n)).astype(np.int64)
    return np.diff(ends, prepend=0) + 1


MIN_ITEMS = 20
"""A genre needs about this many items for a series and some single books."""

MAX_VOLUMES = 6


@dataclass(frozen=True, eq=False)
class Catalogue:
    """The items of the shop, item i at row i, in no particular order.

    `titles`: n_items different strings. `genre`: int8 (n_items,), positions in GENRES.
    `series`: int32 (n_items,), positions in `series_names`, -1 for a single book.
    `volume`: int8 (n_items,), 1, 2, ... within a series, 0 for a single book.
    `year`: int16 (n_items,). `price`: float32 (n_items,).
    `popularity`: float64 (n_items,), how often an item is found, relative to others of its genre.
    `series_genre`: int8 (n_series,). `series_items`: int32 (n_series, 6), the volumes in order, -1 beyond the last.
    """

    titles: tuple[str, ...]
    genre: NDArray[np.int8]
    series: Indices
    volume: NDArray[np.int8]
    year: NDArray[np.int16]
    price: Floats
    popularity: NDArray[np.float64]
    series_names: tuple[str, ...]
    series_genre: NDArray[np.int8]
    series_items: Indices

    def __len__(self) -> int:
        return len(self.titles)

    @property
    def n_genres(self) -> int:
        """Genres in use; a small catalogue has fewer than GENRES."""
        return int(self.genre.max()) + 1

    @cached_property
    def series_length(self) -> NDArray[np.int64]:
        """int64 (n_series,), volumes of each series."""
        length: NDArray[np.int64] = np.count_nonzero(self.series_items >= 0, axis=1)
        return length

    @cached_property
    def items_by_genre(self) -> GenrePool:
        """The pool to draw items from."""
        return make_pool(self.genre, self.popularity)


def make_catalogue(n_items: int, rng: np.random.Generator) -> Catalogue:
    """A catalogue of `n_items`, about half of them volumes of a series. Raises DataError below MIN_ITEMS."""
    if n_items < MIN_ITEMS:
        raise DataError(f"a synthetic catalogue needs at least {MIN_ITEMS} items, got {n_items}")
    n_genres = min(len(GENRES), n_items // MIN_ITEMS)
    series_genre = np.repeat(np.arange(n_genres), quotas(max(n_genres, n_items // 8), n_genres))
    length = rng.integers(3, MAX_VOLUMES + 1, len(series_genre))
    single_genre = np.repeat(np.arange(n_genres), quotas(n_items - int(length.sum()), n_genres))
    names, singles = _titles(series_genre, single_genre, rng)
    series = np.concatenate([np.repeat(np.arange(len(length)), length), np.full(len(single_genre), -1)])
    volume = np.concatenate([_count_up(length) + 1, np.zeros(len(single_genre), np.int64)])
    genre = np.concatenate([np.repeat(series_genre, length), single_genre])
    titles = [f"{names[s]} {v}" for s, v in zip(series, volume, strict=True) if s >= 0] + singles
    order = rng.permutation(n_items)
    return Catalogue(
        titles=tuple(titles[at] for at in order),
        genre=genre[order].astype(np.int8),
        series=series[order].astype(np.int32),
        volume=volume[order].astype(np.int8),
        year=rng.integers(1990, 2026, n_items).astype(np.int16),
        price=(rng.integers(4, 30, n_items) + 0.99).astype(np.float32),
        popularity=zipf_popularity(genre, rng)[order],
        series_names=tuple(names),
        series_genre=series_genre.astype(np.int8),
        series_items=_volumes(length, np.argsort(order)),
    )


def _titles(
    series_genre: NDArray[np.int64], single_genre: NDArray[np.int64], rng: np.random.Generator
) -> tuple[list[str], list[str]]:
    names: list[str] = []
    singles: list[str] = []
    for at, genre in enumerate(GENRES[: series_genre.max() + 1]):
        n_series, n_singles = int((series_genre == at).sum()), int((single_genre == at).sum())
        drawn = genre.titles(n_series + n_singles, rng)
        names += drawn[:n_series]
        singles += drawn[n_series:]
    return names, singles


def _count_up(length: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)


def _volumes(length: NDArray[np.int64], place: NDArray[np.int64]) -> Indices:
    items = np.full((len(length), MAX_VOLUMES), -1, np.int32)
    items[np.repeat(np.arange(len(length)), length), _count_up(length)] = place[: length.sum()]
    return items
