"""Quality of the validation users' lists: the metric, and which part of the catalogue the lists hold."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recsys.data.arrays import Floats
from recsys.data.matrix import Csr
from recsys.evaluation.definitions import split_name
from recsys.evaluation.evaluator import score_lists
from recsys.evaluation.measures import mean_popularity
from recsys.evaluation.metrics import Bools, Values, mean_over_list
from recsys.models.factors.embeddings import popularity_scale
from recsys.models.factors.model import FactorModel
from recsys.models.neighbours.blend import Blend
from recsys.retrieval.exclusion import forbid
from recsys.retrieval.topk import TopK, select_top_k

if TYPE_CHECKING:
    from recsys.tuning.validation import ValidationSet


@dataclass(frozen=True, eq=False)
class ListQuality:
    """What lists reach under every popularity exponent and every share of the neighbours.

    `per_user`: float64 (n_exponents, n_shares, n_users), the metric. `coverage`, `popularity_bias`: float64
    (n_exponents, n_shares), at the cut-off of the metric, as in the report; the bias is NaN if nobody has a list.
    """

    per_user: Values
    coverage: Values
    popularity_bias: Values


@dataclass(frozen=True, eq=False)
class Block:
    """The lists of some users under every scale and share.

    `values`: float64 (n_scales, n_shares, n), the metric. `listed`: bool (n_scales, n_shares, n_items), the items
    in any list. `popularity`: float64 (n_scales, n_shares, n), mean training users of a list's items; NaN without a
    list.
    """

    values: Values
    listed: Bools
    popularity: Values


@dataclass(eq=False)
class Tally:
    """Sums up blocks in order. `degree`: float64 (n_items,), training users of each item."""

    data: "ValidationSet"
    degree: Values
    per_user: Values
    listed: Bools
    popularity: Values

    @staticmethod
    def empty(data: "ValidationSet", shape: tuple[int, int]) -> "Tally":
        """For lists under (n_exponents, n_shares) `shape`."""
        degree = data.train.item_degree.astype(np.float64)
        popularity = np.full((*shape, data.n_users), np.nan)
        listed = np.zeros((*shape, len(degree)), np.bool_)
        return Tally(data, degree, np.zeros((*shape, data.n_users)), listed, popularity)

    def add(self, block: Block, rows: slice) -> None:
        """Add the block of the users `rows`."""
        users = self.data.user[rows]
        self.per_user[:, :, users] = block.values
        self.popularity[:, :, users] = block.popularity
        self.listed |= block.listed

    def quality(self) -> ListQuality:
        """Of all users."""
        known = ~np.isnan(self.popularity)
        n_lists = np.maximum(1, known.sum(axis=-1))
        mean = (
            np.where(known, self.popularity, 0).sum(axis=-1)
            / n_lists
            / mean_popularity(self.data.history, self.degree)
        )
        return ListQuality(
            per_user=self.per_user,
            coverage=(self.listed & (self.degree > 0)).sum(axis=-1) / max(1, np.count_nonzero(self.degree)),
            popularity_bias=np.where(known.any(axis=-1), mean, np.nan),
        )


@dataclass(frozen=True, eq=False)
class Ranked:
    """What ranks the items: products of vectors under several scales, and what neighbours add at several strengths.

    A zero vector has no list and stands in none. `strengths`: float32 (n_scales, n_shares). `added`: float32 CSR
    (n_rows, n_items), at strength 1; None if there are no neighbours.
    """

    data: "ValidationSet"
    vectors: Floats
    items: Floats
    scales: Sequence[Floats]
    strengths: Floats
    added: Csr | None

    @staticmethod
    def of(
        data: "ValidationSet",
        vectors: Floats,
        model: FactorModel,
        exponents: Sequence[float],
        blend: Blend | None,
        shares: Sequence[float],
    ) -> "Ranked":
        """Of `model` for the users of `data`, see `ValidationSet.quality`."""
        embeddings = model.embeddings
        scales = [popularity_scale(model.item_degree, exponent) for exponent in exponents]
        strengths = np.zeros((len(scales), len(shares)), np.float32)
        if blend is not None:
            users = model.trained_vectors(blend.users, data.train.csr[blend.users])
            for scale, row in zip(scales, strengths, strict=True):
                row[:] = blend.strength(users, embeddings.items * scale[:, None], 1.0)
            strengths *= np.asarray(shares, np.float32)
        added = None if blend is None else data.added(blend)
        return Ranked(data, vectors, embeddings.items, scales, strengths, added)

    def block(self, rows: slice) -> Block:
        """The lists of the users `rows`."""
        vectors = self.vectors[rows]
        products: Floats = vectors @ self.items.T
        products[~vectors.any(axis=1)] = -np.inf
        products[:, ~self.items.any(axis=1)] = -np.inf
        forbid(products, self.data.left_out, rows.start)
        added = None if self.added is None else self.added[rows].toarray()
        lists = [
            [self._lists(products * scale, added, strength) for strength in row] for scale, row in self._settings()
        ]
        return _measured(lists, self.data, rows)

    def _settings(self) -> Iterator[tuple[Floats, Floats]]:
        return zip(self.scales, self.strengths, strict=True)

    def _lists(self, scores: Floats, added: Floats | None, strength: np.float32) -> TopK:
        if added is not None and strength > 0:
            scores += added * strength
        return select_top_k(scores, split_name(self.data.metric)[1])


def _measured(lists: Sequence[Sequence[TopK]], data: "ValidationSet", rows: slice) -> Block:
    holdout, degree = data.holdout[rows], data.train.item_degree.astype(np.float64)
    listed = np.zeros((len(lists), len(lists[0]), len(degree)), np.bool_)
    for at, row in enumerate(lists):
        for share, each in enumerate(row):
            listed[at, share, each.indices[each.filled]] = True
    return Block(
        values=np.array([[score_lists(each, holdout, data.metric) for each in row] for row in lists]),
        listed=listed,
        popularity=np.array(
            [[mean_over_list(degree, each.indices, each.filled, (each.k,))[:, 0] for each in row] for row in lists]
        ),
    )
