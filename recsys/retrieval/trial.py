"""A trial of cells: how many a query must look into, found without building an index."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Floats, Indices
from recsys.retrieval.approximate_index import SearchParameters, steps_to
from recsys.retrieval.families.cells import Cells, drawn
from recsys.retrieval.families.family import Visits
from recsys.retrieval.families.ivf import ladder
from recsys.retrieval.flat_index import LARGE_SHARE, FlatIndex
from recsys.retrieval.measurement import Answered, Situation, surely
from recsys.retrieval.topk import TopK

SAMPLED = 4096
"""Items whose cells tell how many items the cells hold."""


def least_visits(cells: Cells, exact: FlatIndex, tuning: Answered, *, target: float, seed: int) -> Visits:
    """The fewest cells that hold the share `target` of the answers to `tuning` in every situation.

    Two standard errors above it, as tuning has it. An index over these cells needs at least as many, because it also
    loses answers to its codes.
    """
    ranks, cell_of = cells.ranks(tuning.sample.vectors), _cells_of_answers(cells, exact.vectors, tuning)
    looks = [_Look.of(cell_of, exact, ranks, asked, tuning.true[name]) for name, asked in tuning.situations.items()]
    enough = (each for each in ladder(len(cells)) if all(look.surely_found(each) >= target for look in looks))
    probes = next(enough, len(cells))
    return Visits(len(cells), probes, _items_in_nearest(cells, exact.vectors, ranks, probes, seed))


def _cells_of_answers(cells: Cells, vectors: Floats, tuning: Answered) -> NDArray[np.int64]:
    """int64 (n_items,): the cell of each item that is an answer in any situation; of the others, any number."""
    answers = np.unique(np.concatenate([true.indices[true.filled] for true in tuning.true.values()]))
    cell_of = np.zeros(len(vectors), np.int64)
    cell_of[answers] = cells.of(vectors[answers])
    return cell_of


@dataclass(frozen=True, eq=False)
class _Look:
    """Where the answers to queries lie that are not left to exact search.

    `places`: int64 (n, k), the place of each answer's cell among those nearest to its query; beyond all if there is
    no such answer. `steps`: int64 (n,), by which the probes of each query grow. `counts`: int32 (n,), answers.
    `n_exact`: the number of queries that are left to exact search.
    """

    places: NDArray[np.int64]
    steps: NDArray[np.int64]
    counts: Indices
    n_exact: int

    @staticmethod
    def of(
        cell_of: NDArray[np.int64], exact: FlatIndex, ranks: NDArray[np.int64], asked: Situation, true: TopK
    ) -> "_Look":
        """`cell_of`: int64 (n_items,), of the answers. `ranks`: int64 (n, n_cells), of the cells for each query."""
        left_out = np.zeros(len(true), np.int64) if asked.exclude is None else np.diff(asked.exclude.indptr)
        narrow = np.flatnonzero(asked.k + left_out < exact.items.n_listable * LARGE_SHARE)
        items, filled = true.indices[narrow], true.filled[narrow]
        places = np.full(items.shape, ranks.shape[1])
        places[filled] = ranks[narrow][np.nonzero(filled)[0], cell_of[items[filled]]]
        steps = steps_to(asked.k + left_out[narrow])
        return _Look(places, steps, true.counts[narrow], len(true) - len(narrow))

    def surely_found(self, probes: int) -> float:
        """The share of the answers in the nearest cells, less two standard errors, if `probes` are tuned."""
        steps, of_query = np.unique(self.steps, return_inverse=True)
        grown = np.array([SearchParameters(probes, 1).grown(step).probes for step in steps.tolist()], np.int64)
        found = (self.places < grown[of_query][:, None]).sum(axis=1)[self.counts > 0]
        return surely(np.append(found / self.counts[self.counts > 0], np.ones(self.n_exact)))


def _items_in_nearest(cells: Cells, vectors: Floats, ranks: NDArray[np.int64], probes: int, seed: int) -> float:
    """The mean number of items in the `probes` cells nearest to each query, estimated from a sample of the items."""
    some = drawn(vectors, SAMPLED, seed)
    sizes = np.bincount(cells.of(vectors[some]), minlength=len(cells)) * (len(vectors) / len(some))
    return float(((ranks < probes) @ sizes).mean())
