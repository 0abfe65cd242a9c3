"""Questions: the same validation users put to every fit, whatever its settings."""

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Floats, Indices
from recsys.data.event_weights import EventWeights
from recsys.data.id_map import IdMap
from recsys.data.interactions import Interactions
from recsys.data.matrix import Csr
from recsys.data.splits.split import Split, make_split
from recsys.data.splits.strategies import validation_part
from recsys.evaluation.answers import contains
from recsys.evaluation.metrics import ACCURACY, Values
from recsys.models.factors.spectral import spectral_start
from recsys.models.factors.training import popularity_scale
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress, silent
from recsys.retrieval.exact import forbid
from recsys.retrieval.topk import select_top_k

# One block of scores is 32 MiB of float32; a few are in memory at once.
_SCORES_PER_BLOCK = 8 * 2**20


@dataclass(frozen=True, eq=False)
class Questions:
    """One training matrix, and what the validation users did after it or beside it.

    `train`: float32 (n_train_users, n_items). `history`, `holdout`: float32 (n_asked, n_items), what a user is known
    by and what is to be found. `user_idx`: int32 (n_asked,), rows of `train`, None for users who are not trained on.
    `place`: int32 (n_asked,), which of the `n_users` validation users is asked; under settings that leave a user out
    of training nothing is asked about them, and their score is 0.
    """

    train: Csr
    history: Csr
    holdout: Csr
    user_idx: Indices | None
    place: Indices
    n_users: int
    metric: str
    item_degree: Floats
    _starts: dict[tuple[int, int], tuple[Floats, Floats]] = field(default_factory=dict)

    def scores(self, vectors: Floats, items: Floats, exponents: Sequence[float]) -> Values:
        """The metric for every user under each popularity exponent: float64 (n_exponents, n_users).

        `vectors`: float32 (n_asked, d). `items`: float32 (n_items, d), unscaled.
        """
        scales = [popularity_scale(self.item_degree, exponent) for exponent in exponents]
        size = max(1, _SCORES_PER_BLOCK // len(items))
        starts = range(0, len(vectors), size)
        values = np.zeros((len(scales), self.n_users))
        # Asked from within a fit, where BLAS has one thread: the blocks have threads of their own.
        with ThreadPoolExecutor(os.cpu_count()) if len(starts) > 1 else nullcontext() as pool:
            blocks = (pool.map if pool else map)(partial(self._block, vectors, items, scales, size), starts)
            for start, block in zip(starts, blocks, strict=True):
                values[:, self.place[start : start + size]] = block
        return values

    def _block(self, vectors: Floats, items: Floats, scales: Sequence[Floats], size: int, start: int) -> Values:
        name, k = self.metric.split("@")
        holdout = self.holdout[start : start + size]
        n_relevant = np.diff(holdout.indptr).astype(np.int64)
        scores: Floats = vectors[start : start + size] @ items.T
        forbid(scores, self.history, start)
        answers = (select_top_k(scores * scale, int(k)) for scale in scales)
        return np.stack([ACCURACY[name](contains(holdout, top), n_relevant, (int(k),))[:, 0] for top in answers])

    def spectral_start(self, factors: int, *, seed: int, progress: Progress = silent) -> tuple[Floats, Floats]:
        """The spectral start of `train`; the last one is kept, because every fit asks for it."""
        key = factors, seed
        if key not in self._starts:
            self._starts.clear()
            self._starts[key] = spectral_start(self.train, factors, seed=seed, progress=progress)
        return self._starts[key]


class Validation:
    """The validation users of a log, drawn once; `questions` puts them to a configuration's matrix.

    `users`: who they are. `events`: what may be looked at; none of the holdout.
    """

    def __init__(self, events: Interactions, config: PipelineConfig, *, n_users: int) -> None:
        """`n_users`: so many at most, drawn by `evaluate.seed`. Raises as `validation_part` and `make_split` do."""
        self._part = validation_part(events, config.evaluate)
        self.events = self._part.events
        split = self._split(config)
        self.users = _sample(IdMap(split.user_ids), n_users, seed=config.evaluate.seed)
        # Two matrices at most: the one that the search starts from, and the last that was asked for.
        self._first = self._last = (_key(config), _ask(split, self.users, config.publish.metric))

    def questions(self, config: PipelineConfig) -> Questions:
        """The matrix that `config` makes of the train side, and the users' questions over its items."""
        key = _key(config)
        for known, questions in (self._first, self._last):
            if known == key:
                return questions
        self._last = (key, _ask(self._split(config), self.users, config.publish.metric))
        return self._last[1]

    def _split(self, config: PipelineConfig) -> Split:
        part = self._part
        weights = EventWeights.of(config.log, config.prepare)
        return make_split(part.events, part.evaluate, prepare=config.prepare, weights=weights, given=part.given)


def _key(config: PipelineConfig) -> str:
    """The settings that the matrix depends on."""
    return json.dumps([config.prepare.model_dump(), config.log.event_weights], sort_keys=True)


def _sample(users: IdMap, n: int, *, seed: int) -> IdMap:
    if len(users) <= n:
        return users
    drawn = np.random.default_rng(seed).choice(len(users), n, replace=False)
    return users.take(np.sort(drawn).astype(np.int32))


def _ask(split: Split, users: IdMap, metric: str) -> Questions:
    place, asked = users.encode(split.user_ids)
    rows: NDArray[np.intp] = np.flatnonzero(asked)
    csr = split.train.csr
    return Questions(
        train=csr,
        history=split.queries_history[rows],
        holdout=split.holdout[rows],
        user_idx=None if split.user_idx is None else split.user_idx[rows],
        place=place,
        n_users=len(users),
        metric=metric,
        item_degree=np.bincount(csr.indices, minlength=csr.shape[1]).astype(np.float32),
    )
