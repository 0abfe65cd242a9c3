"""Validation: the same users are ranked for under every setting, on a part that is cut from the train side."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Floats, Indices
from recsys.data.event_weights import EventWeights
from recsys.data.id_map import IdMap
from recsys.data.interactions import Interactions
from recsys.data.matrix import Csr, InteractionMatrix
from recsys.data.splits.split import Split, make_split
from recsys.data.splits.strategies import validation_part
from recsys.map_ordered import map_ordered
from recsys.models.factors.als import AlsConfig
from recsys.models.factors.config import FactorModelConfig
from recsys.models.factors.embeddings import Embeddings
from recsys.models.factors.model import FactorModel
from recsys.models.factors.spectral import spectral_start
from recsys.models.neighbours.blend import Blend
from recsys.models.registry import fit_blend
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress, silent
from recsys.tuning.list_quality import ListQuality, Ranked, Tally

SCORES_PER_BLOCK = 8 * 2**20
"""Scores (users x items) of one block, 32 MiB of float32; a few blocks are in memory at once."""


@dataclass(frozen=True, eq=False)
class ValidationSet:
    """A training matrix, and the held-out events of the validation users.

    `train`: what models are fitted on. `history`, `holdout`, `left_out`: float32 CSR (n_rows, n_items), what a user
    is known by, the items to find, and those that lists leave out. `user_idx`: int32 (n_rows,), rows of `train`, None
    if the users are not trained on. `user`: int32 (n_rows,), which of the `n_users` validation users a row is.
    Settings can leave a user out of training; that user has no row and scores 0. `metric`: as "ndcg@20".
    `coverage_weight`: fits are compared by the metric plus this times the coverage. `half_life_days`: with which the
    events were weighed, None for no decay.
    """

    train: InteractionMatrix
    history: Csr
    holdout: Csr
    left_out: Csr
    user_idx: Indices | None
    user: Indices
    n_users: int
    metric: str
    coverage_weight: float = 0.0
    half_life_days: float | None = None
    _starts: dict[tuple[int, int], Embeddings] = field(default_factory=dict)
    _blends: dict[tuple[int, float], Blend | None] = field(default_factory=dict)
    _added: dict[Blend, Csr] = field(default_factory=dict)

    def sample(self, n_train: int, n_users: int, *, seed: int) -> "ValidationSet":
        """Up to `n_users` of the users, and a training matrix of them and of others, `n_train` in all.

        Both are drawn by `seed`; it is this set itself if there are no more.
        """
        rng = np.random.default_rng(seed)
        rows = _drawn(len(self.user), n_users, rng)
        trained = np.zeros(self.train.n_users, bool)
        trained[_drawn(self.train.n_users, n_train, rng)] = True
        if self.user_idx is not None:
            trained[self.user_idx[rows]] = True
        if trained.all() and len(rows) == len(self.user):
            return self
        kept = np.flatnonzero(trained).astype(np.int32)
        return replace(
            self,
            train=InteractionMatrix(self.train.users.take(kept), self.train.items, self.train.csr[kept]),
            history=self.history[rows],
            holdout=self.holdout[rows],
            left_out=self.left_out[rows],
            user_idx=None if self.user_idx is None else np.searchsorted(kept, self.user_idx[rows]).astype(np.int32),
            user=np.arange(len(rows), dtype=np.int32),
            n_users=len(rows),
            _starts={},
            _blends={},
            _added={},
        )

    def user_vectors(self, model: FactorModel) -> Floats:
        """float32 (n_rows, d): the trained vector of each user, or the history folded in, as in the evaluator.

        `model` may come from a fit that goes on: the vectors are those with which it would end now.
        """
        if self.user_idx is None:
            return model.fold_in(self.history)
        return model.trained_vectors(self.user_idx, self.train.csr[self.user_idx])

    def quality(
        self,
        vectors: Floats,
        model: FactorModel,
        exponents: Sequence[float],
        *,
        blend: Blend | None = None,
        shares: Sequence[float] = (0.0,),
        scores_per_block: int = SCORES_PER_BLOCK,
    ) -> ListQuality:
        """What the lists reach under each popularity exponent and each share, on one product of the vectors.

        `vectors`: float32 (n_rows, d), of `user_vectors(model)`. `blend`: of `blend(config)`; without one every
        share is 0.
        """
        ranked = Ranked.of(self, vectors, model, exponents, blend, shares)
        size = max(1, scores_per_block // max(1, len(ranked.items)))
        blocks = [slice(start, start + size) for start in range(0, len(vectors), size)]
        tally = Tally.empty(self, (len(exponents), len(shares)))
        for rows, block in zip(blocks, map_ordered(ranked.block, blocks), strict=True):
            tally.add(block, rows)
        return tally.quality()

    def some(self, n_rows: int) -> "ValidationSet":
        """Up to `n_rows` of its rows, evenly spaced, as a set of its own with the same train side."""
        if len(self.user) <= n_rows:
            return self
        rows = np.linspace(0, len(self.user) - 1, n_rows).astype(np.int32)
        return replace(
            self,
            history=self.history[rows],
            holdout=self.holdout[rows],
            left_out=self.left_out[rows],
            user_idx=None if self.user_idx is None else self.user_idx[rows],
            user=np.arange(n_rows, dtype=np.int32),
            n_users=n_rows,
            _added={},
        )

    def blend(self, model: FactorModelConfig, *, progress: Progress = silent) -> Blend | None:
        """The neighbours that a fit of `model` would learn; None if none. The last ones are kept."""
        key = model.neighbours, model.neighbours_regularization
        if key not in self._blends:
            self._blends.clear()
            self._blends[key] = fit_blend(self.train.csr, model, progress=progress)
        return self._blends[key]

    def added(self, blend: Blend) -> Csr:
        """Float32 CSR (n_rows, n_items): what its neighbours add to the scores of each row. The last one is kept."""
        if blend not in self._added:
            self._added.clear()
            self._added[blend] = blend.neighbours.added(self.history)
        return self._added[blend]

    def spectral_start(self, model: FactorModelConfig, *, progress: Progress = silent) -> Embeddings | None:
        """The start that a fit of `model` would compute first; None if it computes none.

        The last one is kept, because all fits of one dimension start from the same vectors.
        """
        if not isinstance(model, AlsConfig) or model.start != "spectral":
            return None
        key = model.factors, model.seed
        if key not in self._starts:
            self._starts.clear()
            users, items = spectral_start(self.train.csr, model.factors, seed=model.seed, progress=progress)
            self._starts[key] = Embeddings(users, items, np.ones(len(items), np.float32))
        return self._starts[key]


class Validation:
    """The validation users of a log, drawn once; `under` gives their validation set under a configuration.

    `users`: their ids. `events`: the train side; nothing of the holdout. `coverage_weight`: as in ValidationSet.
    """

    def __init__(
        self, events: Interactions, config: PipelineConfig, *, n_users: int, coverage_weight: float = 0.0
    ) -> None:
        """Draw up to `n_users` users by `evaluate.seed`. Raises as `validation_part` and `make_split` do."""
        self.coverage_weight, self._metric = coverage_weight, config.publish.metric
        self._part = validation_part(events, config.evaluate)
        self.events = self._part.events
        split = self._split(config)
        self.users = _sample(IdMap(split.user_ids), n_users, seed=config.evaluate.seed)
        # Two at most are kept: that of the settings the search starts from, and the last that was asked for.
        self._first = self._last = (_key(config), self._set(split, config))

    def under(self, config: PipelineConfig) -> ValidationSet:
        """The matrix that `config` makes of the train side, and the users' rows over its items."""
        key = _key(config)
        for known, validation_set in (self._first, self._last):
            if known == key:
                return validation_set
        self._last = (key, self._set(self._split(config), config))
        return self._last[1]

    def _set(self, split: Split, config: PipelineConfig) -> ValidationSet:
        made = _set_of(split, self.users, self._metric, self.coverage_weight)
        return replace(made, half_life_days=config.prepare.half_life_days)

    def _split(self, config: PipelineConfig) -> Split:
        part = self._part
        weights = EventWeights.of(config.log, config.prepare)
        return make_split(part.events, part.evaluate, prepare=config.prepare, weights=weights, given=part.given)


def _drawn(n: int, most: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Up to `most` of n positions, ascending."""
    return np.arange(n) if n <= most else np.sort(rng.choice(n, most, replace=False))


def _key(config: PipelineConfig) -> str:
    """The settings that the matrix depends on."""
    return json.dumps([config.prepare.model_dump(), config.log.event_weights], sort_keys=True)


def _sample(users: IdMap, n: int, *, seed: int) -> IdMap:
    if len(users) <= n:
        return users
    drawn = np.random.default_rng(seed).choice(len(users), n, replace=False)
    return users.take(np.sort(drawn).astype(np.int32))


def _set_of(split: Split, users: IdMap, metric: str, coverage_weight: float) -> ValidationSet:
    user, drawn = users.encode(split.user_ids)
    rows: NDArray[np.intp] = np.flatnonzero(drawn)
    return ValidationSet(
        train=split.train,
        history=split.queries_history[rows],
        holdout=split.holdout[rows],
        left_out=split.left_out[rows],
        user_idx=None if split.user_idx is None else split.user_idx[rows],
        user=user,
        n_users=len(users),
        metric=metric,
        coverage_weight=coverage_weight,
    )
