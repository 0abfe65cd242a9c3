"""Measures: what the metrics of one split need, computed once and shared by all models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Floats, Indices
from recsys.data.matrix import Csr
from recsys.data.splits.split import Split
from recsys.errors import DataError
from recsys.evaluation.metrics import (
    ACCURACY,
    Bools,
    Integers,
    Values,
    diversity,
    mean_over_list,
    prefix_sums,
    ratio,
    self_information,
)
from recsys.retrieval.exact import normalised
from recsys.retrieval.topk import TopK

BANDS = ("head", "mid", "tail")
"""Popularity bands, most popular items first."""

USER_BOUNDS = (1, 6, 11, 21, 51)
"""Smallest number of training users in each slice of items."""

BY_USERS = ("1 to 5", "6 to 10", "11 to 20", "21 to 50", "51 or more")
"""The slices of items by training users."""


@dataclass(frozen=True, eq=False)
class Measures:
    """How lists are measured at `cutoffs` (increasing), whoever they are for.

    `information`: float64 (n_items,), bits. `popularity`: float64 (n_items,), training
    users of an item / mean popularity of the evaluated users' histories; NaN if no user has a history.
    `bands`: int8 (n_items,), each item's place in BANDS; `by_users`: in BY_USERS, -1 for an item without users.
    `listable`: bool (n_items,), the items with a training user; the denominator of coverage.
    `unit_vectors`: float32 (n_items, d), rows of length 1 or 0; None if diversity is not measured.
    """

    cutoffs: tuple[int, ...]
    information: Values
    popularity: Values
    bands: NDArray[np.int8]
    by_users: NDArray[np.int8]
    listable: Bools
    unit_vectors: Floats | None

    @staticmethod
    def of(split: Split, cutoffs: Sequence[int], item_vectors: Floats | None) -> "Measures":
        """Of the lists for the users of `split`. Raises as `of_counts`."""
        train = split.train
        return Measures.of_counts(train.item_degree, train.n_users, split.queries_history, cutoffs, item_vectors)

    @staticmethod
    def of_counts(
        n_users_of_item: Indices, n_users: int, histories: Csr, cutoffs: Sequence[int], item_vectors: Floats | None
    ) -> "Measures":
        """Of a training side of `n_users` users, and evaluated users with these `histories`, (n_eval, n_items).

        `n_users_of_item`: int32 (n_items,). Raises DataError if `item_vectors`, float32 (n_items, d), has not one row
        per item.
        """
        if item_vectors is not None and len(item_vectors) != len(n_users_of_item):
            raise DataError(f"item_vectors: {len(item_vectors)} rows, expected {len(n_users_of_item)}")
        return Measures(
            cutoffs=tuple(sorted(set(cutoffs))),
            information=self_information(n_users_of_item, n_users),
            bands=popularity_bands(n_users_of_item),
            by_users=users_slices(n_users_of_item),
            popularity=n_users_of_item / mean_popularity(histories, n_users_of_item.astype(np.float64)),
            listable=n_users_of_item > 0,
            unit_vectors=None if item_vectors is None else normalised(item_vectors),
        )

    @property
    def n_items(self) -> int:
        """Items of the catalogue."""
        return len(self.listable)

    def per_user(self, answer: TopK, hits: Bools, relevant: Csr) -> Mapping[str, Values]:
        """Each metric but coverage, by name: float64 (n, len(cutoffs)).

        `hits`: of `contains(relevant, answer)`. `relevant`: canonical CSR (n, n_items), a row per list.
        """
        places = (answer.indices, answer.filled, self.cutoffs)
        n_relevant = np.diff(relevant.indptr).astype(np.int64)
        values = {name: metric(hits, n_relevant, self.cutoffs) for name, metric in ACCURACY.items()}
        values["novelty"] = mean_over_list(self.information, *places)
        values["popularity_bias"] = mean_over_list(self.popularity, *places)
        if self.unit_vectors is not None:
            values["diversity"] = diversity(self.unit_vectors, *places)
        return values

    def by_band(self, answer: TopK, hits: Bools, relevant: Csr) -> Mapping[str, Values]:
        """The recall of the items of each of BANDS and BY_USERS: float64 (n, len(cutoffs))."""
        of_bands = self._recalls(BANDS, self.bands, answer, hits, relevant)
        return of_bands | self._recalls(BY_USERS, self.by_users, answer, hits, relevant)

    def coverage(self, recommended: Bools) -> dict[str, float]:
        """Coverage at each cut-off. `recommended`: bool (n_cutoffs, n_items), what is in the first k places."""
        return {
            f"coverage@{k}": np.count_nonzero(row & self.listable) / np.count_nonzero(self.listable)
            for k, row in zip(self.cutoffs, recommended, strict=True)
        }

    def _recalls(
        self, names: Sequence[str], band_of_item: NDArray[np.int8], answer: TopK, hits: Bools, relevant: Csr
    ) -> dict[str, Values]:
        band_of_place = band_of_item[np.where(answer.filled, answer.indices, 0)]
        return {
            name: recall_of_band(
                hits & (band_of_place == number), _count(relevant, band_of_item == number), self.cutoffs
            )
            for number, name in enumerate(names)
        }


def contains(rows: Csr, answer: TopK) -> Bools:
    """bool (n, k): whether the item at each place is stored in the same row of `rows`, canonical (n, n_items)."""
    filled: Bools = answer.filled
    if rows.nnz == 0:
        return np.zeros(filled.shape, np.bool_)
    row = np.repeat(np.arange(len(answer), dtype=np.int32), answer.k)
    column = np.where(filled, answer.indices, 0).ravel()  # padding is -1, which scipy would read as the last item
    found: Bools = (np.asarray(rows[row, column]).reshape(filled.shape) != 0) & filled
    return found


def popularity_bands(n_users_of_item: Integers) -> NDArray[np.int8]:
    """int8 (n_items,): each item's place in BANDS. `n_users_of_item`: int (n_items,), training users.

    Items are sorted by their training users, most first. An item is in the head, mid or tail if the items before it
    hold less than a third, less than two thirds, or more of all training pairs. Items with equally many users are
    sorted by position, so they may be on both sides of a bound.
    """
    order = np.argsort(-n_users_of_item.astype(np.int64), kind="stable")
    ranked = n_users_of_item[order].astype(np.int64)
    before = np.cumsum(ranked) - ranked
    bands = np.empty(len(order), np.int8)
    bands[order] = np.minimum(before * len(BANDS) // max(int(ranked.sum()), 1), len(BANDS) - 1)
    return bands


def users_slices(n_users_of_item: Integers) -> NDArray[np.int8]:
    """Int8 (n_items,): each item's place in BY_USERS. `n_users_of_item`: int (n_items,), training users."""
    return (np.searchsorted(USER_BOUNDS, n_users_of_item, side="right") - 1).astype(np.int8)


def recall_of_band(hits: Bools, n_relevant: Integers, cutoffs: Sequence[int]) -> Values:
    """float64 (n, len(cutoffs)): hits of the band in the first k / min(k, n_relevant); NaN if that is zero.

    `hits`: bool (n, width), the places that hold a relevant item of the band. `n_relevant`: int (n,), the user's
    relevant items in the band.
    """
    return ratio(prefix_sums(hits, cutoffs), np.minimum(cutoffs, n_relevant[:, None]).astype(np.float64))


def _count(rows: Csr, wanted: Bools) -> NDArray[np.int64]:
    """int64 (n,): how many of the `wanted` columns, bool (n_items,), are stored in each row."""
    found = np.concatenate([[0], np.cumsum(wanted[rows.indices])])
    counts: NDArray[np.int64] = np.diff(found[rows.indptr]).astype(np.int64)
    return counts


def mean_popularity(history: Csr, popularity: Values) -> float:
    """Mean over users of the mean popularity of their `history`; users without one are left out. NaN if none has one.

    `history`: CSR (n_users, n_items). `popularity`: float64 (n_items,).
    """
    sizes = np.diff(history.indptr)
    user = np.repeat(np.arange(len(sizes)), sizes)
    totals = np.bincount(user, weights=popularity[history.indices], minlength=len(sizes))
    return float((totals[sizes > 0] / sizes[sizes > 0]).mean()) if sizes.any() else float("nan")
