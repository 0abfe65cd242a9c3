"""Tuning: the cheapest search parameters with which an index finds enough."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from recsys.retrieval.approximate_index import ApproximateIndex, SearchParameters
from recsys.retrieval.measurement import Sample, surely_recalled

# Ties and rounding keep even a full scan a hair below one.
_ALL = 0.9999


def cheapest_parameters(index: ApproximateIndex, sample: Sample, *, target: float) -> ApproximateIndex:
    """`index` with the parameters that are estimated cheapest of those with which recall is at least `target`.

    Two standard errors above it, so that other queries meet it too, in every one of the sample's situations. If none
    are enough, the largest that were tried.
    """
    true = {
        name: index.exact.search(sample.vectors, asked.k, exclude=asked.exclude)
        for name, asked in sample.situations().items()
    }

    def enough(parameters: SearchParameters) -> bool:
        harder = index.with_parameters(parameters)
        return all(
            surely_recalled(harder.search(sample.vectors, asked.k, exclude=asked.exclude), true[name])
            >= min(target, _ALL)
            for name, asked in sample.situations().items()
        )

    probes, candidates = index.family.probes(index.structure), index.family.candidates
    tried = [index.with_parameters(parameters) for parameters in _least(probes, candidates, enough)]
    if not tried:
        return index.with_parameters(SearchParameters(probes[-1], max(candidates)))
    return min(tried, key=lambda each: each.estimated_microseconds(sample.vectors))


def _least(
    probes: Sequence[int], candidates: Sequence[int], enough: Callable[[SearchParameters], bool]
) -> Iterator[SearchParameters]:
    """For each number of candidates the fewest probes that are enough; none if not even the most are.

    By bisection, because more probes find more, and fewer candidates need at least as many.
    """
    low = 0
    for count in sorted(candidates, reverse=True):
        low = bisect_left(probes, True, low, key=partial(_is_enough, count, enough))
        if low == len(probes):
            return
        yield SearchParameters(probes[low], count)


def _is_enough(candidates: int, enough: Callable[[SearchParameters], bool], probes: int) -> bool:
    return enough(SearchParameters(probes, candidates))
