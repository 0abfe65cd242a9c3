"""Rough durations: a small part of the training and ranking is timed and scaled up."""

import os
import time
from collections.abc import Callable

import numpy as np

from pipelines.forecast.fitting import Shape
from pipelines.forecast.job_size import JobSize
from pipelines.forecast.steps import train_side, whole
from pipelines.steps.workspace import ENCODE
from recsys.data.id_map import IdMap
from recsys.data.matrix import InteractionMatrix, csr_from_pairs
from recsys.models.factors.als import AlsConfig
from recsys.models.factors.config import FactorModelConfig, stops_early
from recsys.models.neighbours.learning_users import estimated_steps
from recsys.models.neighbours.regularization import most_values
from recsys.models.registry import baselines_of, fit_model
from recsys.pipeline_config import PipelineConfig
from recsys.retrieval.allowance import allowed_work
from recsys.retrieval.automatic_choice import most_work
from recsys.retrieval.choice import PAYS_ABOVE
from recsys.retrieval.exact import ExactSearch
from recsys.retrieval.flat_index import FlatIndex
from recsys.retrieval.index_config import AUTO
from recsys.tuning.half_life import MOST_TRIED, may_be_chosen
from recsys.tuning.open_settings import open_keys
from recsys.tuning.short_search import LEAST_WORK
from recsys.tuning.work import neighbours_work, night_work

_SAMPLED_ENTRIES = 300_000
_SAMPLED_USERS, _ASKED = 128, 1000
_MOST_FACTORS = 256

# Seconds on one core of 2.1 GHz: sorting and merging one event, one item-to-item product, one of EASE's n_items ** 3.
_PER_EVENT, _PER_CO_OCCURRENCE, _PER_CUBE = 0.6e-6, 6e-9, 3e-11
_START = 2.0

_PER_ADDED = 20e-9
"""Seconds of one weight that neighbours add to a score, and of sorting it in."""


def job_seconds(size: JobSize, config: PipelineConfig, *, read_seconds: float) -> dict[str, float]:
    """Seconds of each step on this machine as busy as it is now, within a factor of about two.

    `read_seconds`: duration of one pass over the log. Training is timed on a smaller matrix of the same proportions,
    ranking on a few users; the rest is computed from constants.
    """
    fit, shape = _fit_seconds(whole(size), config.model) + _neighbours_seconds(size, config.model), train_side(size)
    events = _PER_EVENT * size.events
    on_side = fit * shape.entries / max(size.entries, 1)
    validation = _validation_seconds(config, on_side)
    weighing = events if may_be_chosen(config) else 0.0
    names = baselines_of(config.evaluate, shape.items)
    baselines = sum(_BASELINES[name](size) for name in names if name in _BASELINES)
    ranking = _ranking_seconds(size, config) * (1 + len(names)) + _added_seconds(size, config.model)
    intervals = 2e-8 * size.eval_users * config.evaluate.bootstrap
    return {
        "prepare": _START + read_seconds + events,
        **({} if size.content is None else {ENCODE: _START + size.content.seconds}),
        "evaluate": (2 if validation else 1) * events
        + MOST_TRIED * weighing
        + validation
        + on_side
        + ranking
        + baselines,
        "train": weighing + fit,
        "index": index_seconds(size, config),
        "publish": _START + 2 * intervals + 2e-9 * size.n_users * config.model.factors * 4,
    }


def index_seconds(size: JobSize, config: PipelineConfig) -> float:
    """The most that the choice of two indexes may take, on one core; hardly any if they stay exact by their size.

    A family that is built by name has no such bound.
    """
    shape, index = (size.mapped_items, config.model.factors), config.index
    if index.kind == FlatIndex.kind or (index.kind == AUTO and shape[0] * shape[1] < PAYS_ABOVE):
        return _START
    most = 2 * most_work(shape, _ASKED)
    if index.kind == AUTO:
        fits = night_work((size.n_users, shape[0]), size.entries, config.model, steps=_steps(size, config.model))
        most = min(most, allowed_work(fits, index))
    return _START + most * 1e-9


_BASELINES: dict[str, Callable[[JobSize], float]] = {
    "item_knn": lambda size: _PER_CO_OCCURRENCE * size.co_occurrences + 3e-9 * size.n_items**2,
    "item_knn_bm25": lambda size: _PER_CO_OCCURRENCE * size.co_occurrences + 3e-9 * size.n_items**2,
    "rp3beta": lambda size: _PER_CO_OCCURRENCE * size.co_occurrences + 3e-9 * size.n_items**2,
    "ease": lambda size: (1 + most_values(size.n_items)) * _PER_CUBE * float(size.n_items) ** 3,
    "bpr": lambda size: 100 * 3e-7 * size.entries,
    "svd": lambda size: 6e-7 * size.entries,
    "glove": lambda size: _PER_CO_OCCURRENCE * size.co_occurrences + 4e-3 * size.n_items,
    "item2vec": lambda size: 10 * 6e-6 * size.entries,
}


def _neighbours_seconds(size: JobSize, model: FactorModelConfig) -> float:
    """Learning the weights of all neighbours of the whole log, from counted work."""
    return neighbours_work(size.n_items, model, steps=_steps(size, model)) / 1e9


def _added_seconds(size: JobSize, model: FactorModelConfig) -> float:
    """Adding what neighbours add to the scores of the evaluated users, on all cores."""
    of_user = model.neighbours * size.entries / max(size.n_users, 1)
    return _PER_ADDED * size.eval_users * of_user / (os.cpu_count() or 1)


def _steps(size: JobSize, model: FactorModelConfig) -> float:
    counts = {"of_users": float(size.co_occurrences), "of_items": float(size.co_users)}
    return estimated_steps(max(1, size.n_items), max(1, size.entries), model.neighbours, **counts)


def _validation_seconds(config: PipelineConfig, fit: float) -> float:
    """The fits of the short search, or of early stopping alone. `fit`: seconds of one on the train side."""
    model = config.model
    if open_keys(model) or may_be_chosen(config):
        return max(LEAST_WORK / 1e9, 2 * model.auto_share * fit)
    return fit if stops_early(model) else 0.0


def _fit_seconds(shape: Shape, model: FactorModelConfig) -> float:
    """Fit a smaller matrix of the same proportions: every part of a fit grows with entries, users or items.

    With many factors the solver takes about factors ** 2 multiplications per row.
    """
    times = max(1.0, shape.entries / _SAMPLED_ENTRIES)
    small = Shape(*(max(1, round(count / times)) for count in (shape.users, shape.items, shape.entries)))
    fewer = model.model_copy(update={"factors": min(model.factors, _MOST_FACTORS), "neighbours": 0})
    if isinstance(fewer, AlsConfig) and fewer.item_factors is not None:  # a fit takes longer than none
        fewer = fewer.model_copy(update={"item_factors": None, "item_labels": None})
    matrix, started = _random_matrix(small), time.perf_counter()
    fit_model(matrix, fewer)
    return (time.perf_counter() - started) * times * (model.factors / fewer.factors) ** 2


def _random_matrix(shape: Shape) -> InteractionMatrix:
    rng = np.random.default_rng(1)
    row = rng.integers(0, shape.users, shape.entries).astype(np.int32)
    column = (shape.items * rng.random(shape.entries) ** 2).astype(np.int32)
    csr = csr_from_pairs(row, column, np.ones(shape.entries, np.float32), (shape.users, shape.items))
    users, items = (IdMap.of([f"{number:09d}" for number in range(count)])[0] for count in csr.shape)
    return InteractionMatrix(users, items, csr)


def _ranking_seconds(size: JobSize, config: PipelineConfig) -> float:
    """Rank some of the items for a few users on one core, scaled to all items, all evaluated users and all cores."""
    items = max(1, min(size.n_items, 50_000))
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((items, config.model.factors), dtype=np.float32)
    search, k = ExactSearch(vectors), max(config.evaluate.cutoffs)
    search.search(vectors[:1], k)  # the first search starts threads and touches pages
    started = time.perf_counter()
    search.search(vectors[:_SAMPLED_USERS], k)
    once = (time.perf_counter() - started) / min(items, _SAMPLED_USERS)
    return once * size.eval_users * size.n_items / items / (os.cpu_count() or 1)
