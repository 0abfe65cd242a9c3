"""Tuning: the least effort with which an index finds enough."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from recsys.retrieval.cost_model import estimated_microseconds
from recsys.retrieval.faiss_approximate import ApproximateIndex, Effort
from recsys.retrieval.measurement import Sample
from recsys.retrieval.recall import surely_recalled

# How many candidates are compared exactly: the coarser the codes, the more.
_CANDIDATES = {"hnsw": (128,), "ivf_flat": (128,), "ivf_sq8": (128, 200), "ivf_pq": (128, 200, 400, 800, 1600)}
_MOST_PROBES_OF_HNSW = 2048
_STEPS_PER_DOUBLING = 4


def least_effort(index: ApproximateIndex, sample: Sample, *, target: float) -> ApproximateIndex:
    """`index` with the effort that is estimated cheapest of those with which recall is at least `target`.

    Two standard errors above it, so that other queries meet it too, in every one of the sample's situations.
    Where none is enough, the greatest effort that was tried.
    """
    true = {
        name: index.exact.search(sample.vectors, asked.k, exclude=asked.exclude)
        for name, asked in sample.situations().items()
    }

    def enough(effort: Effort) -> bool:
        harder = index.with_effort(effort)
        return all(
            surely_recalled(harder.search(sample.vectors, asked.k, exclude=asked.exclude), true[name])
            >= min(target, _ALL)
            for name, asked in sample.situations().items()
        )

    ladder, most = _ladder(index), max(_CANDIDATES[index.kind])
    efforts = [index.with_effort(effort) for effort in _least_efforts(ladder, _CANDIDATES[index.kind], enough)]
    if not efforts:
        return index.with_effort(Effort(ladder[-1], most))
    return min(efforts, key=lambda each: estimated_microseconds(each, sample.vectors))


def _least_efforts(
    ladder: Sequence[int], candidates: Sequence[int], enough: Callable[[Effort], bool]
) -> Iterator[Effort]:
    """For each number of candidates the least probes of the ladder that are enough; none where not even the most are.

    By bisection, for more probes find more, and fewer candidates need at least as many.
    """
    low = 0
    for count in sorted(candidates, reverse=True):
        low = bisect_left(ladder, True, low, key=partial(_is_enough, count, enough))
        if low == len(ladder):
            return
        yield Effort(ladder[low], count)


def _is_enough(candidates: int, enough: Callable[[Effort], bool], probes: int) -> bool:
    return enough(Effort(probes, candidates))


def _ladder(index: ApproximateIndex) -> Sequence[int]:
    """Numbers of probes to try, each about a fifth more than the one before."""
    most = _MOST_PROBES_OF_HNSW if index.n_cells is None else index.n_cells
    steps = int(np.log2(most) * _STEPS_PER_DOUBLING)
    return sorted({*(int(2 ** (step / _STEPS_PER_DOUBLING)) for step in range(steps + 1)), most})


# Ties and rounding keep even a full scan a hair below one.
_ALL = 0.9999
