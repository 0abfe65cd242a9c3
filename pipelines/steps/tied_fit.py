"""Tied fits: a fit that starts from the vectors of the serving version, or is turned into their space."""

import logging
from typing import Protocol

from pipelines.steps.previous_version import PreviousVersion, find_previous_version, why_not_warm
from recsys.data.matrix import InteractionMatrix
from recsys.errors import ArtifactError, ModelError
from recsys.evaluation.provenance import Continuity
from recsys.models.factors.config import FactorModelConfig, WarmStartConfig
from recsys.models.factors.continuity import EarlierEmbeddings, mean_item_cosine, shared_rows, training_recall
from recsys.models.factors.model import FactorModel
from recsys.pipeline_config import PipelineConfig

log = logging.getLogger(__name__)

Fitted = tuple[FactorModel, Continuity]
"""A model, and how it is tied to an earlier one."""


class Fitting(Protocol):
    """How an engine fits a model on the training matrix, with its neighbours, and turns its vectors."""

    def fit(self, config: FactorModelConfig, start: EarlierEmbeddings | None) -> FactorModel:
        """The model; `start`: the vectors to start from, by id."""

    def aligned(self, model: FactorModel, earlier: EarlierEmbeddings) -> FactorModel:
        """What `recsys.models.factors.continuity.aligned` makes of the model that `fit` returned."""


def fit_tied(
    matrix: InteractionMatrix, config: PipelineConfig, fitting: Fitting, *, log_mark: str, min_recall_share: float
) -> Fitted:
    """Fit the model of `config`, and tie it to the serving version as `model.continuity` says.

    `log_mark`: the fingerprint of the log. `min_recall_share`: see `train`.
    """
    if config.model.continuity == "none":
        return fitting.fit(config.model, None), Continuity()
    try:
        previous = find_previous_version(config, matrix, log=log_mark)
    except ArtifactError as error:
        log.warning("fitted from scratch, tied to no version: %s", error)
        return fitting.fit(config.model, None), Continuity(tied_to_none=str(error))
    if previous is None:
        return fitting.fit(config.model, None), Continuity(tied_to_none="no earlier version serves")
    warm = config.model
    if isinstance(warm, WarmStartConfig) and warm.continuity == "warm":
        return _warm_if_allowed(matrix, warm, config, previous, min_recall_share, fitting)
    return _aligned(matrix, config, previous, fitting)


def _warm_if_allowed(
    matrix: InteractionMatrix,
    warm: WarmStartConfig,
    config: PipelineConfig,
    previous: PreviousVersion,
    min_recall_share: float,
    fitting: Fitting,
) -> Fitted:
    if (why_not := why_not_warm(previous, warm, config)) is None:
        model, training = _warm(matrix, warm, previous, fitting)
        if (why_not := _degraded(training, previous, min_recall_share)) is None:
            return model, training
    log.warning("fitted from scratch, aligned with %s: %s", previous.version, why_not)
    model, training = _aligned(matrix, config, previous, fitting)
    return model, training.model_copy(update={"not_warm": why_not})


def _warm(matrix: InteractionMatrix, warm: WarmStartConfig, previous: PreviousVersion, fitting: Fitting) -> Fitted:
    fewer = warm.model_copy(update={"iterations": warm.warm_iterations})
    model = fitting.fit(fewer, previous.earlier)
    continued = {
        "started_from": previous.version,
        "warm_nights": previous.warm_nights + 1,
        "iterations": fewer.iterations,
        "training_recall": training_recall(model.embeddings, matrix.csr),
        "training_recall_before": training_recall(previous.earlier.embeddings, previous.history),
    }
    return model, _compared(model, matrix, previous).model_copy(update=continued)


def _aligned(
    matrix: InteractionMatrix, config: PipelineConfig, previous: PreviousVersion, fitting: Fitting
) -> Fitted:
    model = fitting.fit(config.model, None)
    try:
        rotated = fitting.aligned(model, previous.earlier)
    except ModelError as error:  # a small matrix may give fewer dimensions than it did
        log.warning("not aligned with %s: %s", previous.version, error)
        return model, Continuity(tied_to_none=str(error))
    aligned_to = {"aligned_to": previous.version}
    return rotated, _compared(rotated, matrix, previous).model_copy(update=aligned_to)


def _compared(model: FactorModel, matrix: InteractionMatrix, previous: PreviousVersion) -> Continuity:
    """How the vectors differ from those of `previous`."""
    earlier = previous.earlier
    return Continuity(
        mean_item_cosine=mean_item_cosine(model.embeddings, matrix.items, earlier),
        new_items=matrix.n_items - len(shared_rows(earlier.items, matrix.items)[1]),
        new_users=matrix.n_users - len(shared_rows(earlier.users, matrix.users)[1]),
    )


def _degraded(training: Continuity, previous: PreviousVersion, min_recall_share: float) -> str | None:
    """What is wrong with vectors that were continued; None if nothing is."""
    now, before = training.training_recall, training.training_recall_before
    if now is None or before is None or now >= min_recall_share * before:
        return None
    return f"continued vectors have a recall of {now:.3f} on the training data; {previous.version} had {before:.3f}"
