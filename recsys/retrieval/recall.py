"""Recall of an index: the share of the true answers that it finds."""

from collections.abc import Iterator

import numpy as np

from recsys.data.arrays import Indices
from recsys.retrieval.topk import TopK


def recall(found: TopK, true: TopK) -> float:
    """sum |found & true| / sum |true| over the queries; 1.0 where there is nothing to find.

    `found`, `true`: answers to the same queries, `true` those of exact search.
    """
    hits = sum(len(np.intersect1d(ours, theirs)) for ours, theirs in _pairs(found, true))
    return hits / int(true.counts.sum()) if true.counts.any() else 1.0


def surely_recalled(found: TopK, true: TopK) -> float:
    """`recall` less two standard errors of its mean over the queries: what other queries will hardly fall below."""
    shares = [len(np.intersect1d(ours, theirs)) / len(theirs) for ours, theirs in _pairs(found, true) if len(theirs)]
    if len(shares) < 2:
        return recall(found, true)
    return float(np.mean(shares) - 2 * np.std(shares, ddof=1) / np.sqrt(len(shares)))


def _pairs(found: TopK, true: TopK) -> Iterator[tuple[Indices, Indices]]:
    return zip((ours for ours, _ in found.rows()), (theirs for theirs, _ in true.rows()), strict=True)
