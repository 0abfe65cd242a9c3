"""A map of the items: two coordinates per item, so that neighbours in the space are neighbours on a page."""

import importlib
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np

from recsys.data.arrays import Floats, Indices, read_only
from recsys.errors import ConfigError, DataError
from recsys.extras import install
from recsys.progress import Progress, silent
from recsys.retrieval.exact import ExactSearch, normalised
from recsys.retrieval.search import ItemSearch
from recsys.space.broad import along, main_basis

MapMethod = Literal["none", "pca", "tsne"]

_ROWS_AT_ONCE = 65_536
_PERPLEXITY, _PLACED_BY = 30.0, 5
_EARLY, _LATE = 100, 250
"""Iterations with exaggerated attraction, and without. More move single items, no longer whole regions."""

_DIRECT_UP_TO = 10_000
"""Items up to which Barnes-Hut is faster than interpolation."""

_THREADS = 1
"""A second one saves a fifth of the time, and costs more than that on a machine with other work."""


def check_map(method: MapMethod) -> None:
    """Raise ConfigError if `method` needs a package that is not installed."""
    if method == "tsne" and find_spec("openTSNE") is None:
        raise ConfigError(
            f'publish.map: "tsne" needs openTSNE, which is not installed; {install("map")}, or set "pca"'
        )


def made_by(method: MapMethod, n_items: int, most: int) -> str:
    """How `make_map` places `n_items` items with a vector, in words."""
    if method != "tsne":
        return "PCA" if method == "pca" else "nothing"
    return "t-SNE" if n_items <= most else f"t-SNE of the {most:,} items with the most users, the others beside them"


def make_map(
    vectors: Floats,
    degree: Floats,
    *,
    method: MapMethod,
    most: int,
    seed: int = 1,
    progress: Progress = silent,
) -> Floats | None:
    """Float32 (n_items, 2), read-only: the place of every item; NaN for one without a vector. None by method "none".

    `vectors`: float32 (n_items, d), compared by cosine. `degree`: float32 (n_items,), distinct users.
    "pca" keeps the two directions with the largest variance (Pearson 1901) of the vectors as `broad` has them. "tsne"
    (van der Maaten and Hinton 2008, by openTSNE) begins with these and keeps neighbourhoods; above `most` items it
    places the items with the most users, and each other item at the median of its five nearest of those. Coordinates
    are centred, with a largest distance of one from the centre. Raises ConfigError if openTSNE is needed and missing.
    """
    if method == "none":
        return None
    check_map(method)
    known = np.flatnonzero(vectors.any(axis=1)).astype(np.int32)
    places = np.full((len(vectors), 2), np.nan, np.float32)
    if not len(known):
        return read_only(places)
    chosen = np.sort(known[np.argsort(-degree[known], kind="stable")[: max(most, 2)]])
    if method == "pca" or len(chosen) < 4 * _PLACED_BY:
        places[known] = _by_axes(vectors, known, chosen)
    else:
        places[known] = _by_neighbours(vectors, known, chosen, seed, progress)
    return read_only(_scaled(places))


def check_places(places: Floats, n_items: int) -> None:
    """Raise DataError unless `places` is a map of `n_items`: float32 (n_items, 2), each row finite or all NaN."""
    if places.dtype != np.float32 or places.shape != (n_items, 2):
        raise DataError(f"map: {places.dtype} {places.shape}, expected float32 ({n_items}, 2)")
    unknown = np.isnan(places)
    if np.isinf(places).any() or (unknown[:, 0] != unknown[:, 1]).any():
        raise DataError("map: holds infinity, or half of a place")


def _scaled(places: Floats) -> Floats:
    """Centred, the farthest item at distance one; the input is not changed."""
    centred = places - np.nanmean(places, axis=0)
    farthest = float(np.sqrt(np.nanmax((centred**2).sum(axis=1))))
    return np.asarray(centred / (farthest or 1.0), np.float32)


@dataclass(frozen=True, eq=False)
class _Axes:
    """Where items are along the two main axes of some of them. `basis`: their main directions, see `broad`."""

    basis: Floats
    axes: Floats
    centre: Floats

    @staticmethod
    def of(vectors: Floats) -> "_Axes":
        """Those of `vectors`, float32 (n, d) of length one."""
        basis = main_basis(vectors)
        return _Axes(basis, *main_axes(along(vectors, basis)))

    def places(self, vectors: Floats) -> Floats:
        """Float32 (n, 2): where `vectors`, float32 (n, d) of length one, are."""
        return np.asarray((along(vectors, self.basis) - self.centre) @ self.axes, np.float32)


def _by_axes(vectors: Floats, known: Indices, chosen: Indices) -> Floats:
    """Float32 (n_known, 2): every known item along the main axes of the `chosen` ones."""
    axes = _Axes.of(normalised(vectors[chosen]))
    places = np.empty((len(known), 2), np.float32)
    for start in range(0, len(known), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        places[rows] = axes.places(normalised(vectors[known[rows]]))
    return places


def main_axes(vectors: Floats) -> tuple[Floats, Floats]:
    """The two directions with the largest variance, float32 (d, 2), and the mean, float32 (d,), of `vectors` (n, d).

    Each points to where a few items are far out (a positive third moment), so that it is the same on the next night.
    """
    centre = vectors.mean(axis=0)
    centred = vectors - centre
    _, axes = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    two = np.zeros((vectors.shape[1], 2), np.float32)
    two[:, : min(2, vectors.shape[1])] = axes[:, ::-1][:, :2]
    turned = ((centred @ two).astype(np.float64) ** 3).sum(axis=0) < 0
    return two * np.where(turned, -1, 1).astype(np.float32), centre


def _by_neighbours(vectors: Floats, known: Indices, chosen: Indices, seed: int, progress: Progress) -> Floats:
    """Float32 (n_known, 2): t-SNE of the `chosen` items, the others at their nearest ones."""
    anchors = normalised(vectors[chosen])
    search = ExactSearch(anchors)
    placed = _tsne(anchors, search, seed, progress)
    places = np.empty((len(known), 2), np.float32)
    is_chosen = np.isin(known, chosen, assume_unique=True)
    places[is_chosen] = placed
    others = np.flatnonzero(~is_chosen)
    for start in range(0, len(others), _ROWS_AT_ONCE):
        progress("map: other items", start, len(others))
        rows = others[start : start + _ROWS_AT_ONCE]
        nearest = search.search(normalised(vectors[known[rows]]), _PLACED_BY).indices
        places[rows] = np.median(placed[nearest], axis=1)
    return places


def _tsne(vectors: Floats, search: ItemSearch, seed: int, progress: Progress) -> Floats:
    """Float32 (n, 2): the t-SNE of `vectors`, float32 (n, d) of length one, whose exact neighbours `search` finds."""
    start = _module("initialization").rescale(_Axes.of(vectors).places(vectors).astype(np.float64), inplace=False)
    embedding = importlib.import_module("openTSNE").TSNEEmbedding(
        start,
        _affinities(vectors, search),
        n_jobs=_THREADS,
        random_state=seed,
        negative_gradient_method="bh" if len(vectors) <= _DIRECT_UP_TO else "fft",
    )
    told = _Told(progress)
    embedding.optimize(_EARLY, exaggeration=12, momentum=0.5, inplace=True, callbacks=told, callbacks_every_iters=25)
    told.before = _EARLY
    embedding.optimize(_LATE, momentum=0.8, inplace=True, callbacks=told, callbacks_every_iters=25)
    progress(told.stage, _EARLY + _LATE, _EARLY + _LATE)
    return np.asarray(embedding, np.float32)


def _affinities(vectors: Floats, search: ItemSearch) -> Any:
    perplexity = min(_PERPLEXITY, (len(vectors) - 1) / 3)
    k = min(len(vectors) - 1, int(3 * perplexity))
    found = search.search(vectors, k + 1)
    # The first is the item itself; of equal vectors it may be another one, which is as near.
    distance = np.sqrt(np.maximum(2 - 2 * np.clip(found.scores[:, 1:], -1, 1), 0))
    neighbours = _module("nearest_neighbors").PrecomputedNeighbors(found.indices[:, 1:], distance)
    return _module("affinity").PerplexityBasedNN(perplexity=perplexity, knn_index=neighbours, n_jobs=_THREADS)


def _module(name: str) -> Any:
    return importlib.import_module(f"openTSNE.{name}")


class _Told:
    """Tells `progress` of openTSNE's iterations; returns False, so that they go on."""

    stage = "map: t-SNE"

    def __init__(self, progress: Progress) -> None:
        self._progress, self.before = progress, 0

    def __call__(self, iteration: int, error: float, embedding: object) -> bool:
        self._progress(self.stage, self.before + iteration, _EARLY + _LATE)
        return False
