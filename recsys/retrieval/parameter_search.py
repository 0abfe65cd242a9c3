"""Tuning: the cheapest search parameters with which an index finds enough."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import partial
from math import inf

from recsys.data.arrays import Floats
from recsys.retrieval.approximate_index import ApproximateIndex, SearchParameters
from recsys.retrieval.measurement import Answered, surely_recalled

# Ties and rounding keep even a full scan a hair below one.
_ALL = 0.9999


def cheapest_parameters(
    index: ApproximateIndex, tuning: Answered, *, target: float, least_probes: int = 1, limit: float = inf
) -> ApproximateIndex:
    """`index` with the parameters that are estimated cheapest of those with which recall is at least `target`.

    Two standard errors above it, so that other queries meet it too, in every situation of `tuning`. No fewer than
    `least_probes` are tried, and nothing that is estimated to cost more than `limit`, in microseconds. If none of
    these are enough, the largest of them.
    """
    ladder, vectors = index.family.probes(index.structure), tuning.sample.vectors
    probes = [each for each in ladder if each >= least_probes] or ladder[-1:]
    best, cost = None, limit
    largest = index.with_parameters(SearchParameters(probes[0], min(index.family.candidates)))
    for count in sorted(index.family.candidates):
        harder = [index.with_parameters(SearchParameters(each, count)) for each in probes]
        affordable = harder[: bisect_left(harder, True, key=partial(_dearer, vectors, cost))]
        at = _first_that(partial(_is_enough, tuning, target), affordable)
        if at < len(affordable):
            best = affordable[at]
            cost = best.estimated_microseconds(vectors)
        elif affordable:
            largest = max(largest, affordable[-1], key=_size)
    return best or largest


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


def _is_enough(tuning: Answered, target: float, index: ApproximateIndex) -> bool:
    """Whether recall is surely `target` in every situation."""
    vectors = tuning.sample.vectors
    return all(
        surely_recalled(index.search(vectors, asked.k, exclude=asked.exclude), tuning.true[name]) >= min(target, _ALL)
        for name, asked in tuning.situations.items()
    )
