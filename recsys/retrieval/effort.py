"""Tuning: the least effort with which an index finds enough."""

from collections.abc import Mapping, Sequence

import numpy as np

from recsys.retrieval.faiss_approximate import ApproximateIndex, Effort
from recsys.retrieval.measurement import Sample
from recsys.retrieval.recall import surely_recalled
from recsys.retrieval.topk import TopK
from recsys.retrieval.work import estimated_microseconds

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
    efforts = [_least_probes(index, sample, true, candidates, target) for candidates in _CANDIDATES[index.kind]]
    enough = [index.with_effort(effort) for effort in efforts if effort is not None]
    if not enough:
        return index.with_effort(Effort(_ladder(index)[-1], _CANDIDATES[index.kind][-1]))
    return min(enough, key=lambda each: estimated_microseconds(each, sample.vectors))


def _least_probes(
    index: ApproximateIndex, sample: Sample, true: Mapping[str, TopK], candidates: int, target: float
) -> Effort | None:
    """By bisection, for more probes find more. None where not even the most are enough."""
    ladder, low = _ladder(index), 0
    high = len(ladder)
    while low < high:
        middle = (low + high) // 2
        effort = Effort(ladder[middle], candidates)
        low, high = (low, middle) if _enough(index.with_effort(effort), sample, true, target) else (middle + 1, high)
    return Effort(ladder[low], candidates) if low < len(ladder) else None


def _enough(index: ApproximateIndex, sample: Sample, true: Mapping[str, TopK], target: float) -> bool:
    return all(
        surely_recalled(index.search(sample.vectors, asked.k, exclude=asked.exclude), true[name]) >= min(target, _ALL)
        for name, asked in sample.situations().items()
    )


def _ladder(index: ApproximateIndex) -> Sequence[int]:
    """Numbers of probes to try, each about a fifth more than the one before."""
    most = _MOST_PROBES_OF_HNSW if index.n_cells is None else index.n_cells
    steps = int(np.log2(most) * _STEPS_PER_DOUBLING)
    return sorted({*(int(2 ** (step / _STEPS_PER_DOUBLING)) for step in range(steps + 1)), most})


# Ties and rounding keep even a full scan a hair below one.
_ALL = 0.9999
