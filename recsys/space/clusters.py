"""Clusters of items, named by what their items have more often than others."""

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from scipy.special import betainc

from recsys.data.arrays import Floats, Indices
from recsys.retrieval.exact import normalised
from recsys.space.broad import broad
from recsys.space.items_read import ItemsRead, ShownItem
from recsys.space.terms import Terms

_STARTS, _ITERATIONS = 4, 40
_MOST_CLUSTERS = 30
_ITEMS_PER_CLUSTER_SQUARED = 8
_CERTAIN = 1e-3
_LEAST_COUNT, _LEAST_LIFT = 3, 2.0
_TERMS, _MAIN_SHARE = 5, 0.8
_EXAMPLES = 6


@dataclass(frozen=True)
class NamingTerm:
    """A term that a cluster has more often than the catalogue.

    `n_items`: its items in the cluster. `share`: of the cluster's items, P(term | cluster). `lift`: that share
    divided by the share of all items, P(term | cluster) / P(term).
    """

    term: str
    n_items: int
    share: float
    lift: float

    @property
    def text(self) -> str:
        """As people read it: the term, its share, and its lift."""
        return f"{self.term} ({100 * self.share:.0f} %, lift {self.lift:.1f})"


@dataclass(frozen=True)
class Cluster:
    """A group of items near each other.

    `name`: its main term if four fifths of the items have it, else up to three terms. `share_of_events`: its items'
    part of all pairs of user and item. `closeness`: mean cosine of its items to its centre, in the main directions of
    the space. `terms`: the best first, empty if none is certainly more frequent than elsewhere. `examples`: the items
    nearest the centre, of the half with the most users.
    """

    name: str
    n_items: int
    share_of_events: float
    closeness: float
    terms: tuple[NamingTerm, ...]
    examples: tuple[ShownItem, ...]


def number_of_clusters(n_items: int) -> int:
    """How many clusters are made by default: sqrt(n_items / 8), from 2 to 30; but not more than items."""
    wanted = round(math.sqrt(n_items / _ITEMS_PER_CLUSTER_SQUARED))
    return min(n_items, max(2, min(_MOST_CLUSTERS, wanted)))


def assign_clusters(vectors: Floats, n_clusters: int, *, seed: int = 1) -> tuple[Indices, Floats]:
    """The cluster of each row of `vectors`, int32 (n,), and the centres, float32 (n_clusters, d), of length one.

    k-means with careful seeding (Arthur and Vassilvitskii 2007), the best of four starts. Since rows and centres have
    length one, the nearest centre is the one with the largest cosine. Clusters are ordered by size, largest first;
    there are fewer if there are fewer different rows.
    """
    n_clusters = min(n_clusters, len(np.unique(vectors, axis=0)))
    starts = (_from_start(vectors, n_clusters, seed + start) for start in range(_STARTS))
    cluster, centres = max(starts, key=lambda found: _closeness(vectors, *found).sum())
    order = np.argsort(-np.bincount(cluster, minlength=len(centres)), kind="stable")
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order))
    return place[cluster], centres[order]


def _from_start(vectors: Floats, n_clusters: int, seed: int) -> tuple[Indices, Floats]:
    with warnings.catch_warnings():  # an empty cluster is left out below
        warnings.simplefilter("ignore", UserWarning)
        means, _ = kmeans2(vectors, n_clusters, iter=_ITERATIONS, minit="++", rng=np.random.default_rng(seed))
    centres = normalised(np.ascontiguousarray(means, np.float32))
    nearest = (vectors @ centres.T).argmax(axis=1)
    used, cluster = np.unique(nearest, return_inverse=True)
    return cluster.astype(np.int32), centres[used]


def _closeness(vectors: Floats, cluster: Indices, centres: Floats) -> Floats:
    close: Floats = np.einsum("nd,nd->n", vectors, centres[cluster])
    return close


def find_clusters(
    read: ItemsRead, terms: Terms, *, n_clusters: int | None = None
) -> tuple[tuple[Cluster, Indices], ...]:
    """The clusters of the items that are read, largest first, each with the positions of its items among these.

    `n_clusters`: by default `number_of_clusters`.
    """
    n_items = len(read.rows)
    if n_items < 2:
        return ()
    vectors = broad(read.vectors)
    cluster, centres = assign_clusters(vectors, min(n_items, n_clusters or number_of_clusters(n_items)))
    close, counts = _closeness(vectors, cluster, centres), terms.counts
    events = read.degree.sum(dtype=np.float64) or 1.0

    def described(rows: Indices) -> Cluster:
        named_by = naming_terms(terms.of(rows), counts, n_items)
        return Cluster(
            name=_name(named_by),
            n_items=len(rows),
            share_of_events=float(read.degree[rows].sum(dtype=np.float64) / events),
            closeness=float(close[rows].mean()),
            terms=named_by,
            examples=read.shown(_central(rows, close, read.degree)),
        )

    return tuple((described(rows), rows) for rows in _groups(cluster, len(centres)))


def _name(terms: Sequence[NamingTerm]) -> str:
    told = terms[:1] if terms and terms[0].share >= _MAIN_SHARE else terms[:3]
    return ", ".join(each.term for each in told) or "no common term"


def _groups(cluster: Indices, n_clusters: int) -> Iterator[Indices]:
    order = np.argsort(cluster, kind="stable").astype(np.int32)
    return iter(np.split(order, np.cumsum(np.bincount(cluster, minlength=n_clusters))[:-1]))


def _central(rows: Indices, close: Floats, degree: Floats) -> Indices:
    """The rows nearest the centre, of the half with the most users: people know more of these."""
    known = rows[np.argsort(-degree[rows], kind="stable")[: max(_EXAMPLES, len(rows) // 2)]]
    return known[np.argsort(-close[known], kind="stable")[:_EXAMPLES]]


def naming_terms(within: Terms, counts: NDArray[np.int64], n_items: int) -> tuple[NamingTerm, ...]:
    """The terms that name a group, the best first, up to five.

    `within`: the terms of the group's items. `counts`: int64 (n_terms,), items with each term among all `n_items`.
    A term counts if at least three items of the group have it, if its lift is at least 2, and if so many in a random
    group of that size have a probability below 0.001 divided by the number of terms (binomial, Bonferroni). The best
    have the largest share * log2(lift), the term's part of the Kullback-Leibler divergence between the group and the
    catalogue: lift alone would choose what very few items have, the share alone what all have.
    """
    size = within.members.shape[0]
    found, overall = within.counts, counts / n_items
    share = found / max(1, size)
    lift = np.divide(share, overall, out=np.zeros_like(share), where=overall > 0)
    tail = betainc(np.maximum(found, 1), np.maximum(size - found + 1, 1), np.minimum(overall, 1))
    certain = (found >= _LEAST_COUNT) & (lift >= _LEAST_LIFT) & (tail < _CERTAIN / max(1, len(counts)))
    at = np.flatnonzero(certain)
    best = at[np.argsort(-share[at] * np.log2(lift[at]), kind="stable")[:_TERMS]]
    return tuple(
        NamingTerm(within.labels[term], int(found[term]), float(share[term]), float(lift[term])) for term in best
    )
