"""Measures: everything answers to one split are measured with, made once and shared by its models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Floats
from recsys.data.matrix import Csr
from recsys.data.splits.split import Split
from recsys.errors import DataError
from recsys.evaluation.answers import contains
from recsys.evaluation.bands import BANDS, popularity_bands, recall_of_band
from recsys.evaluation.metrics import ACCURACY, Bools, Values, diversity, mean_over_list, self_information
from recsys.retrieval.exact import normalised
from recsys.retrieval.topk import TopK


@dataclass(frozen=True, eq=False)
class Measures:
    """How the answers to `split` are measured, at `cutoffs` (increasing).

    `n_relevant`: int64 (n_eval,). `information`: float64 (n_items,), bits. `popularity`: float64 (n_items,), training
    users of an item / mean popularity of the evaluated users' histories; NaN where nobody has a history.
    `bands`: int8 (n_items,), the popularity band of
    each item. `unit_vectors`: float32 (n_items, d), rows of length 1 or 0, or None where diversity is not measured.
    """

    split: Split
    cutoffs: tuple[int, ...]
    n_relevant: NDArray[np.int64]
    information: Values
    popularity: Values
    bands: NDArray[np.int8]
    unit_vectors: Floats | None

    @staticmethod
    def of(split: Split, cutoffs: Sequence[int], item_vectors: Floats | None) -> "Measures":
        """Raises DataError where `item_vectors`, float32 (n_items, d), are not the split's items'."""
        if item_vectors is not None and len(item_vectors) != split.train.n_items:
            raise DataError(f"item_vectors: {len(item_vectors)} rows, expected {split.train.n_items}")
        n_users = np.bincount(split.train.csr.indices, minlength=split.train.n_items)
        return Measures(
            split=split,
            cutoffs=tuple(sorted(set(cutoffs))),
            n_relevant=np.diff(split.holdout.indptr).astype(np.int64),
            information=self_information(n_users, split.train.n_users),
            bands=popularity_bands(n_users),
            popularity=n_users / _history_popularity(split, n_users.astype(np.float64)),
            unit_vectors=None if item_vectors is None else normalised(item_vectors),
        )

    def hits(self, answer: TopK, rows: slice) -> Bools:
        """bool (n, k): which places of the lists for the users `rows` hold a relevant item."""
        return contains(self.split.holdout[rows], answer)

    def per_user(self, answer: TopK, hits: Bools, rows: slice) -> Mapping[str, Values]:
        """Each metric but coverage, by name, for the users `rows`: float64 (n, len(cutoffs))."""
        places = (answer.indices, answer.filled, self.cutoffs)
        values = {name: metric(hits, self.n_relevant[rows], self.cutoffs) for name, metric in ACCURACY.items()}
        values["novelty"] = mean_over_list(self.information, *places)
        values["popularity_bias"] = mean_over_list(self.popularity, *places)
        if self.unit_vectors is not None:
            values["diversity"] = diversity(self.unit_vectors, *places)
        return values

    def by_band(self, answer: TopK, hits: Bools, rows: slice) -> Mapping[str, Values]:
        """The recall of the items of each of BANDS, for the users `rows`: float64 (n, len(cutoffs))."""
        band_of_place = self.bands[np.where(answer.filled, answer.indices, 0)]
        relevant = self.split.holdout[rows]
        return {
            band: recall_of_band(
                hits & (band_of_place == number), _count(relevant, self.bands == number), self.cutoffs
            )
            for number, band in enumerate(BANDS)
        }


def _count(rows: Csr, wanted: Bools) -> NDArray[np.int64]:
    """int64 (n,): how many of the `wanted` columns, bool (n_items,), are stored in each row."""
    found = np.concatenate([[0], np.cumsum(wanted[rows.indices])])
    counts: NDArray[np.int64] = np.diff(found[rows.indptr]).astype(np.int64)
    return counts


def _history_popularity(split: Split, popularity: Values) -> float:
    """Mean over users of the mean popularity of their history; users without one are left out, NaN for nobody."""
    history = split.queries_history
    sizes = np.diff(history.indptr)
    owner = np.repeat(np.arange(len(sizes)), sizes)
    totals = np.bincount(owner, weights=popularity[history.indices], minlength=len(sizes))
    return float((totals[sizes > 0] / sizes[sizes > 0]).mean()) if sizes.any() else float("nan")
