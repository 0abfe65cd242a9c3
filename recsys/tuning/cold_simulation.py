"""Simulated coldness: warm items are hidden, get vectors from content, and are ranked for users who chose them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from recsys.content.cold_start.columns import largest_weight
from recsys.content.cold_start.completion import ItemGroups, mapped
from recsys.content.cold_start.mapping import fit_ridge, neighbour_mean
from recsys.content.cold_start.nearest import vectors_of_space
from recsys.content.cold_start.settings import ColdStartSettings
from recsys.content.space import ContentSpace
from recsys.data.arrays import Bools, Floats, Indices
from recsys.data.matrix import Csr, csr_from_pairs, presence
from recsys.evaluation.evaluator import score_lists
from recsys.evaluation.metrics import Values
from recsys.models.factors.embeddings import Embeddings
from recsys.models.factors.model import FactorModel
from recsys.progress import Progress, silent
from recsys.retrieval.topk import select_top_k
from recsys.tuning.cold_candidates import Candidates

MOST_HIDDEN, MOST_USERS = 1_000, 1_000
_PRODUCTS = 4e11
"""Multiplications of the search for content neighbours, at most, unless fewer than _LEAST_HIDDEN would be hidden."""
_LEAST_HIDDEN = 200


@dataclass(frozen=True, eq=False)
class ColdSimulation:
    """Hidden items, and users who chose some of them.

    `model`: the fitted one, whose hidden items have zero vectors. `hidden`, `warm`: int32, positions, apart.
    `user_idx`: int32 (n,), their rows in training. `users`: float32 (n, d), folded in without the hidden items.
    `history`: float32 CSR (n, n_items), ones, without
    them; `relevant`: float32 CSR (n, n_hidden). `added`, `own`: float32 CSR (n, n_items), what the history adds to
    the scores of items by neighbours, and its items times the strength and the largest weight; None without
    neighbours. `scale`: `item_scale` of a new item.
    """

    model: FactorModel
    space: ContentSpace
    hidden: Indices
    warm: Indices
    user_idx: Indices
    users: Floats
    history: Csr
    relevant: Csr
    candidates: Candidates
    scale: np.float32
    added: Csr | None
    own: Csr | None
    _mapped: dict[str, Floats] = field(default_factory=dict)
    _means: dict[str, Csr] = field(default_factory=dict)
    _sums: dict[float, Csr] = field(default_factory=dict)

    def vectors(self, settings: ColdStartSettings, means: Csr) -> Floats:
        """Float32 (n_hidden, d): what `settings` make of the content of the hidden items."""
        items = self.model.embeddings.items
        mean = neighbour_mean(means, items, full_length=settings.full_length)
        return mapped(settings, mean, lambda: self._by_ridge(settings))

    def means(self, settings: ColdStartSettings) -> Csr:
        """Float32 CSR (n_hidden, n_items): the weights of the content neighbours of each hidden item."""
        key = repr((settings.weights, settings.neighbours, settings.power))
        if key not in self._means:
            weights = [settings.weights.get(source.name, source.weight) for source in self.space.sources]
            nearest = self.candidates.nearest(weights, settings.neighbours)
            n_items = len(self.model.embeddings.items)
            self._means[key] = nearest.means(settings.neighbours, settings.power, n_items)
        return self._means[key]

    def local_scores(self, settings: ColdStartSettings, means: Csr) -> Floats | None:
        """Float32 (n, n_hidden): what the neighbours' part gives the hidden items; None without neighbours."""
        if (local := self._local(settings.own_weight)) is None:
            return None
        scores: Floats = (local @ means.T).toarray() * np.float32(settings.local)
        return scores

    def _local(self, own_weight: float) -> Csr | None:
        """Float32 CSR (n, n_items): what the history adds to the scores of items, its own items among them."""
        if self.added is None or self.own is None:
            return None
        if own_weight not in self._sums:
            self._sums[own_weight] = self.added + self.own * np.float32(own_weight)
        return self._sums[own_weight]

    def _by_ridge(self, settings: ColdStartSettings) -> Floats:
        key = repr((settings.weights, settings.ridge))
        if key not in self._mapped:
            content, items = vectors_of_space(settings.weighted(self.space)), self.model.embeddings.items
            ridge = fit_ridge(content, self.warm, items, self.model.item_degree, strength=settings.ridge)
            self._mapped[key] = ridge(content, self.hidden)
        return self._mapped[key]

    def lists(self, settings: ColdStartSettings, metrics: Sequence[str]) -> list[Values]:
        """For each of `metrics`, float64 (n,): that of every user, ranked among the hidden items."""
        means = self.means(settings)
        vectors = self.vectors(settings, means)
        scores: Floats = self.users @ (vectors * self.scale).T
        if (local := self.local_scores(settings, means)) is not None:
            scores += local
        scores[:, ~vectors.any(axis=1)] = -np.inf
        return self.measured(scores, metrics)

    def in_random_order(self, metrics: Sequence[str], *, seed: int) -> list[Values]:
        """The same for random scores."""
        shape = (len(self.users), len(self.hidden))
        return self.measured(np.random.default_rng(seed).random(shape, dtype=np.float32), metrics)

    def measured(self, scores: Floats, metrics: Sequence[str]) -> list[Values]:
        """The same for `scores`, float32 (n, n_hidden)."""
        cutoffs = [int(metric.rsplit("@", 1)[1]) for metric in metrics]
        return [
            score_lists(select_top_k(scores, k), self.relevant, metric)
            for metric, k in zip(metrics, cutoffs, strict=True)
        ]


def simulate(
    model: FactorModel,
    csr: Csr,
    space: ContentSpace,
    *,
    rare_events: int,
    hidden_share: float,
    scale: float,
    seed: int,
    depth: int,
    progress: Progress = silent,
) -> ColdSimulation | str:
    """Hide a share of the warm items of `csr`, (n_users, n_items), on which `model` was fitted.

    A warm item has more than `rare_events` users and a content vector. Up to 1,000 items are hidden, fewer in a large
    catalogue, and up to 1,000 users who chose one are drawn; both by `seed`. Users are folded in without the hidden
    items, whose vectors do not count; the vectors of the other items stay, though the fit knew the hidden ones.
    Returns the reason, in words, if there are too few items or users.
    """
    rng = np.random.default_rng(seed)
    able = ItemGroups.of(model, space, rare_events).warm
    hidden = hidden_items(able, space, share=hidden_share, rng=rng)
    if len(hidden) < 2:
        return f"{len(able)} items have more than {rare_events} users and known content, too few to hide some"
    is_hidden = np.zeros(csr.shape[1], np.bool_)
    is_hidden[hidden] = True
    rows = _users(csr, is_hidden, rng)
    if len(rows) < 2:
        return f"{len(rows)} users chose one of {len(hidden)} hidden items and another one, too few"
    warm = np.setdiff1d(able, hidden).astype(np.int32)
    without = _without(model, hidden)
    chosen = csr[rows]
    history = _columns(chosen, ~is_hidden)
    neighbours = model.neighbours
    return ColdSimulation(
        model=without,
        space=space,
        hidden=hidden,
        warm=warm,
        user_idx=rows,
        users=without.fold_in(history),
        history=presence(history),
        relevant=presence(chosen[:, hidden]),
        candidates=Candidates.of(space, hidden, warm, depth=depth, progress=progress),
        scale=np.float32(scale),
        added=None if neighbours is None else neighbours.added(history),
        own=None
        if neighbours is None
        else presence(history) * np.float32(neighbours.strength * largest_weight(neighbours.weights)),
    )


def hidden_items(able: Indices, space: ContentSpace, *, share: float, rng: np.random.Generator) -> Indices:
    """The items of `able`, int32 (n,), that a choice hides, ascending; what a fresh `rng` draws first."""
    n_hidden = min(round(share * len(able)), _most_hidden(len(able), space))
    return np.sort(rng.choice(able, n_hidden, replace=False)).astype(np.int32)


def _most_hidden(n_warm: int, space: ContentSpace) -> int:
    dimensions = sum(source.vectors.shape[1] for source in space.sources)
    return min(MOST_HIDDEN, max(_LEAST_HIDDEN, int(_PRODUCTS / (n_warm * dimensions + 1))))


def _users(csr: Csr, is_hidden: Bools, rng: np.random.Generator) -> Indices:
    """Half of the users with a hidden item and another one, up to MOST_USERS, ascending."""
    n_hidden = csr_sums(csr, is_hidden)
    able = np.flatnonzero((n_hidden > 0) & (np.diff(csr.indptr) > n_hidden))
    most = min(MOST_USERS, (len(able) + 1) // 2)  # the others give back what makes a hidden item a rare one
    drawn = np.sort(rng.choice(able, most, replace=False))
    return drawn.astype(np.int32)


def csr_sums(csr: Csr, marked: Bools) -> Indices:
    """Int32 (n,): how many entries of each row of `csr` are in columns that are `marked`."""
    before = np.concatenate([[0], np.cumsum(marked[csr.indices])])
    sums: Indices = (before[csr.indptr[1:]] - before[csr.indptr[:-1]]).astype(np.int32)
    return sums


def _columns(csr: Csr, keep: Bools) -> Csr:
    """The entries of `csr` in the columns to `keep`, over the same columns."""
    kept = keep[csr.indices]
    rows = np.repeat(np.arange(csr.shape[0], dtype=np.int32), np.diff(csr.indptr))[kept]
    return csr_from_pairs(rows, csr.indices[kept], csr.data[kept], csr.shape)


def _without(model: FactorModel, hidden: Indices) -> FactorModel:
    """`model` with zero vectors of the `hidden` items."""
    vectors = model.embeddings.items.copy()
    vectors[hidden] = 0
    return model.with_embeddings(Embeddings(model.embeddings.users, vectors, model.embeddings.item_scale))
