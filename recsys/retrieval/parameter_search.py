"""Tuning: the cheapest search parameters with which an index finds enough."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Floats
from recsys.retrieval.approximate_index import ApproximateIndex, SearchParameters
from recsys.retrieval.measurement import Answered, surely
from recsys.retrieval.proposals import count_found

# Ties and rounding keep even a full scan a hair below one.
_ALL = 0.9999
# One query in so many tells parameters that are far from enough.
_EVERY = 8


class Tuned(NamedTuple):
    """An index with the search parameters that were found, and whether they are enough."""

    found: ApproximateIndex
    enough: bool


def cheapest_parameters(
    index: ApproximateIndex, tuning: Answered, *, target: float, least_probes: int = 1, limit: float = inf
) -> Tuned:
    """`index` with the parameters that are estimated cheapest of those with which recall is at least `target`.

    Two standard errors above it, so that other queries meet it too, in every situation of `tuning`. No fewer than
    `least_probes` are tried, and nothing that is estimated to cost more than `limit`, in microseconds. If none of
    these are enough, the largest of them. Whether the largest could be is asked of a few queries first.
    """
    ladder, vectors = index.family.probes(index.structure), tuning.sample.vectors
    probes = [each for each in ladder if each >= least_probes] or ladder[-1:]
    best, cost = None, limit
    largest = index.with_parameters(SearchParameters(probes[0], min(index.family.candidates)))
    for count in sorted(index.family.candidates):
        harder = [index.with_parameters(SearchParameters(each, count)) for each in probes]
        affordable = harder[: bisect_left(harder, True, key=partial(_dearer, vectors, cost))]
        hopeful = bool(affordable) and may_be_enough(tuning.every(_EVERY), target, affordable[-1])
        at = _first_that(partial(_is_enough, tuning, target), affordable) if hopeful else len(affordable)
        if at < len(affordable):
            best = affordable[at]
            cost = best.estimated_microseconds(vectors)
        elif affordable:
            largest = max(largest, affordable[-1], key=_size)
    return Tuned(best or largest, best is not None)


def _first_that(is_enough: Callable[[ApproximateIndex], bool], harder: Sequence[ApproximateIndex]) -> int:
    """The place of the first that is enough; as many as there are if none is. The first are tried first.

    In steps that double, then by bisection: more probes find more.
    """
    low, high, step = 0, 0, 1
    while high < len(harder) and not is_enough(harder[high]):
        low, high, step = high + 1, min(high + step, max(len(harder) - 1, high + 1)), 2 * step
    return bisect_left(harder, True, low, min(high, len(harder)), key=is_enough)


def _size(index: ApproximateIndex) -> tuple[int, int]:
    return index.parameters.probes, index.parameters.candidates


def _dearer(vectors: Floats, limit: float, index: ApproximateIndex) -> bool:
    return index.estimated_microseconds(vectors) > limit


def may_be_enough(few: Answered, target: float, index: ApproximateIndex) -> bool:
    """Whether recall on `few` queries is `target`, up to two standard errors, in every situation."""
    return all(
        2 * _mean(hits, counts) - surely(hits / counts) >= min(target, _ALL) for hits, counts in _found(few, index)
    )


def _is_enough(tuning: Answered, target: float, index: ApproximateIndex) -> bool:
    """Whether recall is surely `target` in every situation."""
    return all(surely(hits / counts) >= min(target, _ALL) for hits, counts in _found(tuning, index))


def _mean(hits: NDArray[np.int64], counts: NDArray[np.int64]) -> float:
    return float(hits.sum() / counts.sum()) if len(counts) else 1.0


def _found(asked: Answered, index: ApproximateIndex) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """For each situation, of the queries with answers: how many are found, and how many there are; int64 (n,)."""
    for name, situation in asked.situations.items():
        true = asked.true[name]
        hits = count_found(index, asked.sample.vectors, situation.k, true, exclude=situation.exclude)
        some = np.flatnonzero(true.counts)
        yield hits[some], true.counts[some].astype(np.int64)
