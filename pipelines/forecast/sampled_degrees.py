"""SampledDegrees: a sample of a log, numbered, so that what cleaning and cutting would do can be counted on it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.data.ingest.survey import Sample, Survey

_ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, eq=False)
class SampledDegrees:
    """A sample, numbered: rows and distinct pairs by owner, 0 to n - 1.

    `degree`, `n_rows`: int64 (n,), pairs and rows of each. `distinct_share`: of the rows, those that repeat no other.
    """

    owner_of_row: NDArray[np.int64]
    time: NDArray[np.int64]
    owner_of_pair: NDArray[np.int64]
    degree: NDArray[np.int64]
    n_rows: NDArray[np.int64]
    distinct_share: float

    @staticmethod
    def of(sample: Sample) -> "SampledDegrees":
        """Number the owners, and the pairs of each."""
        _, owner = np.unique(sample.owner, return_inverse=True)
        pair = sample.owner * _ODD ^ sample.other
        _, first = np.unique(pair, return_index=True)
        rows = np.unique((pair * _ODD) ^ sample.time.astype(np.uint64))
        n_rows, degree = np.bincount(owner), np.bincount(owner[first])
        return SampledDegrees(owner, sample.time, owner[first], degree, n_rows, len(rows) / max(len(owner), 1))

    def kept(self, most_rows: int | None, least_pairs: int) -> NDArray[np.bool_]:
        """bool (n,): whom cleaning would leave in, by its bounds on rows and on pairs."""
        return (self.degree >= least_pairs) & (self.n_rows <= (most_rows or np.inf))

    @property
    def pairs_per_row(self) -> float:
        """Distinct pairs / rows."""
        return len(self.owner_of_pair) / len(self.owner_of_row)

    def squared_degree(self, kept: NDArray[np.bool_]) -> float:
        """The mean over all owners of degree ** 2, those that are not `kept`, bool (n,), at zero."""
        return float(np.where(kept, self.degree.astype(np.float64) ** 2, 0.0).mean())

    def share_of_pairs(self, kept: NDArray[np.bool_]) -> float:
        """The share of all pairs that the owners `kept`, bool (n,), have."""
        return float(self.degree[kept].sum() / self.degree.sum())

    def seen(self, rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """bool (n,): who has any of `rows`, bool (n_rows,)."""
        return np.bincount(self.owner_of_row[rows], minlength=len(self.degree)) > 0


@dataclass(frozen=True, eq=False)
class Surveyed:
    """A survey, its samples numbered."""

    survey: Survey
    by_user: SampledDegrees
    by_item: SampledDegrees

    @staticmethod
    def of(survey: Survey) -> "Surveyed":
        """Number the samples of `survey`, once for all the configurations that are tried on it."""
        return Surveyed(survey, SampledDegrees.of(survey.by_user), SampledDegrees.of(survey.by_item))
