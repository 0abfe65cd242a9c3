"""Intervals of means over users: the bootstrap (Efron 1979) with percentile intervals.

A resample draws n of n users with replacement and is kept as the number of times each user was drawn, so that one
product gives the resampled means of all metrics. A NaN value does not count in its column. The intervals say how much
other users would change the mean, not another training run or split.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from recsys.errors import DataError
from recsys.evaluation.metrics import Values, ratio

MIN_TRUSTED_USERS = 30
"""Intervals over fewer users are not reliable."""

DRAWS_PER_BLOCK = 16_000_000
"""Maximum number of draws (resamples x users, float64, 128 MB) in memory. More means fewer passes over the values."""


class Interval(NamedTuple):
    """A mean over users and the bounds of its interval, None without resamples or if only one user has a value."""

    mean: float
    low: float | None
    high: float | None


def mean_of(values: Values) -> float:
    """The mean of the values (float64 (n,)) that are not NaN; NaN if all are."""
    present = values[~np.isnan(values)]
    return float(present.mean()) if len(present) else float("nan")


def mean_interval(values: Values, *, samples: int, confidence: float, rng: np.random.Generator) -> Interval:
    """The mean of `values` (float64 (n,)) and its percentile interval from `samples` resamples of users."""
    return mean_intervals(values[:, None], samples=samples, confidence=confidence, rng=rng)[0]


def paired_difference(a: Values, b: Values, *, samples: int, confidence: float, rng: np.random.Generator) -> Interval:
    """The mean of a - b, both float64 (n,) of the same users in the same order, with its interval.

    Differences remove what both share (easy and hard users), so they detect smaller effects than two separate
    intervals. Raises DataError if the shapes differ.
    """
    if a.shape != b.shape:
        raise DataError(f"paired difference: {a.shape} and {b.shape} values; expected the same users")
    return mean_interval(a - b, samples=samples, confidence=confidence, rng=rng)


def mean_intervals(
    values: Values,
    *,
    samples: int,
    confidence: float,
    rng: np.random.Generator,
    draws_per_block: int = DRAWS_PER_BLOCK,
) -> list[Interval]:
    """`mean_interval` of each column of `values` (float64 (n, m)), all on the same resamples.

    With `samples` 0 there are only means, and so for a column with a single value; a column of NaN has the mean NaN.
    `confidence` in (0, 1). `draws_per_block` bounds the memory, not the result.
    Raises DataError if there are no users.
    """
    if len(values) == 0:
        raise DataError("bootstrap: no users; expected at least one")
    exists = ~np.isnan(values)
    means = [mean_of(column) for column in values.T]
    if samples == 0:
        return [Interval(mean, None, None) for mean in means]
    filled = np.where(exists, values, 0.0)
    resampled = _resampled_means(filled, exists, samples=samples, rng=rng, draws_per_block=draws_per_block)
    return [
        Interval(mean, None, None) if n == 1 else Interval(mean, *_bounds(column, confidence))
        for mean, n, column in zip(means, exists.sum(axis=0), resampled.T, strict=True)
    ]


def _bounds(resampled: Values, confidence: float) -> tuple[float, float]:
    """The percentiles of one metric's resampled means, without resamples in which no user has the metric."""
    present = resampled[~np.isnan(resampled)]
    if len(present) == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(present, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _resampled_means(
    filled: Values, exists: NDArray[np.bool_], *, samples: int, rng: np.random.Generator, draws_per_block: int
) -> Values:
    """float64 (samples, m): the means of each column's existing values in each resample."""
    n = len(filled)
    partial = np.flatnonzero(~exists.all(axis=0))
    masks = exists[:, partial].astype(np.float64)
    means = np.empty((samples, filled.shape[1]))
    size = max(1, draws_per_block // n)
    for start in range(0, samples, size):
        rows = slice(start, min(start + size, samples))
        draws = _draw_counts(n, rows.stop - start, rng)
        # One thread, so that the order of sums does not depend on the number of threads.
        with threadpool_limits(1, "blas"):
            totals = np.full((len(draws), filled.shape[1]), float(n))
            totals[:, partial] = draws @ masks
            means[rows] = ratio(draws @ filled, totals)
    return means


def _draw_counts(n: int, samples: int, rng: np.random.Generator) -> Values:
    """float64 (samples, n): how often each of n users is drawn in n draws with replacement."""
    counts = np.empty((samples, n))
    for row in counts:
        row[:] = np.bincount(rng.integers(0, n, n, dtype=np.int32), minlength=n)
    return counts
