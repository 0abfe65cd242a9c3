"""train: the accepted configuration, fitted on everything."""

import logging
from typing import Any

from pipelines.steps.previous_version import PreviousVersion, find_previous_version, why_not_warm
from pipelines.steps.workspace import Workspace
from recsys.data.items import Items
from recsys.data.matrix import InteractionMatrix
from recsys.errors import ArtifactError, ModelError
from recsys.models.completion import complete
from recsys.models.factors.config import WarmStartConfig
from recsys.models.factors.continuity import aligned, carried_over, mean_item_cosine, shared_rows, training_recall
from recsys.models.factors.model import FactorModel
from recsys.models.registry import fit_model
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress

log = logging.getLogger(__name__)

# Vectors that went on from healthy ones reproduce their training data as well, but for what a night adds.
_HEALTHY = 0.9

Fitted = tuple[FactorModel, dict[str, Any]]
"""A model, and how it is tied to an earlier one: plain values for the summary, the report and the manifest."""


def train(config: PipelineConfig, workspace: Workspace, *, progress: Progress) -> dict[str, Any]:
    """Fit the model on the whole matrix; write its vectors. Returns the summary."""
    prepared = workspace.require("prepare", config)
    matrix = InteractionMatrix.load(prepared / "matrix")
    fingerprint = workspace.summary("prepare")["fingerprints"]["log"]
    with workspace.output("train", config) as output:
        model, training = _fit(matrix, _stopped(config, workspace), fingerprint, progress)
        model = _completed(model, Items.load(prepared / "items.arrow", matrix.items))
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


def _completed(model: FactorModel, items: Items) -> FactorModel:
    embeddings = complete(model.embeddings, items)
    return model if embeddings is model.embeddings else model.with_embeddings(embeddings)


def _stopped(config: PipelineConfig, workspace: Workspace) -> PipelineConfig:
    """`config` with the number of iterations that evaluate found best, where it looked for one."""
    workspace.require("evaluate", config)
    if (stopping := workspace.summary("evaluate").get("stopping")) is None:
        return config
    model = config.model.model_copy(update={"iterations": stopping["iterations"]})
    return config.model_copy(update={"model": model})


def _fit(matrix: InteractionMatrix, config: PipelineConfig, fingerprint: str, progress: Progress) -> Fitted:
    if config.model.continuity == "none":
        return fit_model(matrix, config.model, progress=progress), {}
    try:
        previous = find_previous_version(config, matrix, log=fingerprint)
    except ArtifactError as error:
        log.warning("fitted anew, tied to no version: %s", error)
        return fit_model(matrix, config.model, progress=progress), {"tied_to_none": str(error)}
    if previous is None:
        return fit_model(matrix, config.model, progress=progress), {"tied_to_none": "no earlier version serves"}
    warm = config.model
    if isinstance(warm, WarmStartConfig) and warm.continuity == "warm":
        return _warm_if_it_may(matrix, warm, config, previous, progress)
    return _aligned(matrix, config, previous, progress)


def _warm_if_it_may(
    matrix: InteractionMatrix,
    warm: WarmStartConfig,
    config: PipelineConfig,
    previous: PreviousVersion,
    progress: Progress,
) -> Fitted:
    if (why_not := why_not_warm(previous, warm, config)) is None:
        model, training = _warm(matrix, warm, previous, progress)
        if (why_not := _ill(training, previous)) is None:
            return model, training
    log.warning("a fit anew, aligned with %s: %s", previous.version, why_not)
    model, training = _aligned(matrix, config, previous, progress)
    return model, {**training, "not_warm": why_not}


def _warm(matrix: InteractionMatrix, warm: WarmStartConfig, previous: PreviousVersion, progress: Progress) -> Fitted:
    fewer = warm.model_copy(update={"iterations": warm.warm_iterations})
    model = fit_model(matrix, fewer, start=carried_over(previous.earlier, matrix), progress=progress)
    training = {
        "started_from": previous.version,
        "warm_nights": previous.warm_nights + 1,
        "iterations": fewer.iterations,
        **_beside(model, matrix, previous),
        "training_recall@20": training_recall(model.embeddings, matrix.csr),
        "training_recall@20_before": training_recall(previous.earlier.embeddings, previous.seen),
    }
    return model, training


def _aligned(
    matrix: InteractionMatrix, config: PipelineConfig, previous: PreviousVersion, progress: Progress
) -> Fitted:
    model = fit_model(matrix, config.model, progress=progress)
    try:
        rotated = aligned(model, matrix.items, previous.earlier)
    except ModelError as error:  # a small matrix may give fewer dimensions than it did
        log.warning("not aligned with %s: %s", previous.version, error)
        return model, {"tied_to_none": str(error)}
    return rotated, {"aligned_to": previous.version, **_beside(rotated, matrix, previous)}


def _beside(model: FactorModel, matrix: InteractionMatrix, previous: PreviousVersion) -> dict[str, Any]:
    """How the vectors differ from those of `previous`."""
    earlier = previous.earlier
    return {
        "mean_item_cosine": mean_item_cosine(model.embeddings, matrix.items, earlier),
        "new_items": matrix.n_items - len(shared_rows(earlier.items, matrix.items)[1]),
        "new_users": matrix.n_users - len(shared_rows(earlier.users, matrix.users)[1]),
    }


def _ill(training: dict[str, Any], previous: PreviousVersion) -> str | None:
    """What is wrong with vectors that were continued; None where nothing is."""
    now, before = training["training_recall@20"], training["training_recall@20_before"]
    if now >= _HEALTHY * before:
        return None
    return f"continued vectors found {now:.3f} of their own training data, those of {previous.version} {before:.3f}"
