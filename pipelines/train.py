"""train: the accepted configuration, fitted on everything."""

import logging
from dataclasses import replace
from typing import Any

from pipelines.predecessor import Predecessor, find_predecessor, why_not_warm
from pipelines.workspace import Workspace
from recsys.config import PipelineConfig
from recsys.data.matrix import InteractionMatrix
from recsys.errors import ArtifactError
from recsys.models.training import TrainedModel, train_model
from recsys.models.warm_start import aligned, carried_over, mean_item_cosine, shared_rows, training_recall
from recsys.progress import Progress

log = logging.getLogger(__name__)

# Vectors that went on from healthy ones reproduce their training data as well, but for what a night adds.
_HEALTHY = 0.9

Fitted = tuple[TrainedModel, dict[str, Any]]
"""A model, and how it is tied to an earlier one: plain values for the summary, the report and the manifest."""


def train(config: PipelineConfig, workspace: Workspace, *, progress: Progress) -> dict[str, Any]:
    """Fit the model on the whole matrix; write its vectors. Returns the summary."""
    matrix = InteractionMatrix.load(workspace.require("prepare", config) / "matrix")
    fingerprint = workspace.summary("prepare")["fingerprints"]["log"]
    with workspace.output("train", config) as output:
        model, training = _fit(matrix, _stopped(config, workspace), fingerprint, progress)
        model.save(output.folder / "model")
        output.inputs.update({key: training[key] for key in ("started_from", "aligned_to") if training.get(key)})
        output.summary.update(
            n_users=matrix.n_users,
            n_items=matrix.n_items,
            entries=int(matrix.csr.nnz),
            factors=model.embeddings.factors,
            losses=list(model.losses),
            training=training,
        )
    return workspace.summary("train")


def _stopped(config: PipelineConfig, workspace: Workspace) -> PipelineConfig:
    """`config` with the number of iterations that evaluate found best, where it looked for one."""
    workspace.require("evaluate", config)
    if (stopping := workspace.summary("evaluate").get("stopping")) is None:
        return config
    model = config.model.model_copy(update={"iterations": stopping["iterations"]})
    return config.model_copy(update={"model": model})


def _fit(matrix: InteractionMatrix, config: PipelineConfig, fingerprint: str, progress: Progress) -> Fitted:
    if config.model.continuity == "none":
        return train_model(matrix, config.model, progress=progress), {}
    try:
        predecessor = find_predecessor(config, matrix, log=fingerprint)
    except ArtifactError as error:
        log.warning("fitted anew, tied to no version: %s", error)
        return train_model(matrix, config.model, progress=progress), {"tied_to_none": str(error)}
    if predecessor is None:
        return train_model(matrix, config.model, progress=progress), {"tied_to_none": "no earlier version serves"}
    if config.model.continuity == "warm":
        return _warm_if_it_may(matrix, config, predecessor, progress)
    return _aligned(matrix, config, predecessor, progress)


def _warm_if_it_may(
    matrix: InteractionMatrix, config: PipelineConfig, predecessor: Predecessor, progress: Progress
) -> Fitted:
    if (why_not := why_not_warm(predecessor, config)) is None:
        model, training = _warm(matrix, config, predecessor, progress)
        if (why_not := _ill(training, predecessor)) is None:
            return model, training
    log.warning("a fit anew, aligned with %s: %s", predecessor.version, why_not)
    model, training = _aligned(matrix, config, predecessor, progress)
    return model, {**training, "not_warm": why_not}


def _warm(matrix: InteractionMatrix, config: PipelineConfig, predecessor: Predecessor, progress: Progress) -> Fitted:
    fewer = config.model.model_copy(update={"iterations": config.model.warm_iterations})
    model = train_model(matrix, fewer, start=carried_over(predecessor.earlier, matrix), progress=progress)
    training = {
        "started_from": predecessor.version,
        "warm_nights": predecessor.warm_nights + 1,
        "iterations": fewer.iterations,
        **_beside(model, matrix, predecessor),
        "training_recall@20": training_recall(model.embeddings, matrix.csr),
        "training_recall@20_before": training_recall(predecessor.earlier.embeddings, predecessor.seen),
    }
    return model, training


def _aligned(
    matrix: InteractionMatrix, config: PipelineConfig, predecessor: Predecessor, progress: Progress
) -> Fitted:
    model = train_model(matrix, config.model, progress=progress)
    turned = replace(model, embeddings=aligned(model.embeddings, matrix.items, predecessor.earlier))
    return turned, {"aligned_to": predecessor.version, **_beside(turned, matrix, predecessor)}


def _beside(model: TrainedModel, matrix: InteractionMatrix, predecessor: Predecessor) -> dict[str, Any]:
    """How the vectors differ from those of `predecessor`."""
    earlier = predecessor.earlier
    return {
        "mean_item_cosine": mean_item_cosine(model.embeddings, matrix.items, earlier),
        "new_items": matrix.n_items - len(shared_rows(earlier.items, matrix.items)[1]),
        "new_users": matrix.n_users - len(shared_rows(earlier.users, matrix.users)[1]),
    }


def _ill(training: dict[str, Any], predecessor: Predecessor) -> str | None:
    """What is wrong with vectors that were continued; None where nothing is."""
    now, before = training["training_recall@20"], training["training_recall@20_before"]
    if now >= _HEALTHY * before:
        return None
    return (
        f"continued vectors found {now:.3f} of their own training data, those of {predecessor.version} {before:.3f}"
    )
