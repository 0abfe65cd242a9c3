"""train: the accepted configuration, fitted on everything."""

import logging

from pipelines.steps.cold_start import completed_as_chosen
from pipelines.steps.memory import give_back
from pipelines.steps.previous_version import PreviousVersion, find_previous_version, why_not_warm
from pipelines.steps.summaries import EvaluateSummary, PrepareSummary, TrainSummary
from pipelines.steps.training_data import weigh_anew, weighed_anew
from pipelines.steps.workspace import Workspace
from recsys.data.matrix import InteractionMatrix
from recsys.errors import ArtifactError, ModelError
from recsys.evaluation.provenance import Continuity, LocalPart
from recsys.models.factors.config import WarmStartConfig
from recsys.models.factors.continuity import aligned, carried_over, mean_item_cosine, shared_rows, training_recall
from recsys.models.factors.model import FactorModel
from recsys.models.neighbours.learning_users import learning_users
from recsys.models.registry import fit_model
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress

log = logging.getLogger(__name__)

Fitted = tuple[FactorModel, Continuity]
"""A model, and how it is tied to an earlier one."""


def train(
    config: PipelineConfig, workspace: Workspace, *, progress: Progress, min_recall_share: float = 0.9
) -> TrainSummary:
    """Fit the model on the whole matrix, and write its vectors.

    `min_recall_share`: vectors that continue those of the serving version are kept only if their recall on the
    training data is at least this share of what the serving version had; otherwise the fit starts from scratch.
    """
    prepared = workspace.require("prepare", config)
    chosen, before, cleaning = as_chosen(config, workspace), workspace.summary(PrepareSummary), None
    with workspace.output("train", config) as output:
        if weighed_anew(workspace):
            data = weigh_anew(chosen, prepared, before)
            data.save(prepared := output.folder / "data")
            cleaning = data.cleaning
            del data
            give_back()  # the events, before training needs room
        matrix = InteractionMatrix.load(prepared / "matrix")
        model, training = _fit(matrix, chosen, before.fingerprints.log, min_recall_share, progress)
        neighbours = _local_part(model, matrix, chosen)
        model = completed_as_chosen(
            model,
            chosen.model,
            matrix,
            config,
            workspace,
            choice=workspace.summary(EvaluateSummary).cold_start,
            folder=output.folder,
            progress=progress,
        )
        model.save(output.folder / "model")
        if training.tied_to:
            output.inputs["tied_to"] = training.tied_to
        output.summary = TrainSummary(
            n_users=matrix.n_users,
            n_items=matrix.n_items,
            entries=int(matrix.csr.nnz),
            factors=model.embeddings.factors,
            losses=tuple(model.losses),
            training=training,
            cleaning=cleaning,
            neighbours=neighbours,
        )
    return output.summary


def _local_part(model: FactorModel, matrix: InteractionMatrix, config: PipelineConfig) -> LocalPart | None:
    """What came of the neighbours that `config` asks for, None if of none; a warning if there are none."""
    if not (config.model.neighbours and config.model.neighbours_share):
        return None
    users, weights = learning_users(matrix.csr, config.model.neighbours), model.neighbours
    found = LocalPart(
        asked=config.model.neighbours,
        n_weights=0 if weights is None else int(weights.weights.nnz),
        n_users=matrix.n_users,
        learned_from=matrix.n_users if users is None else len(users),
    )
    if nothing := found.nothing_came():
        log.warning("%s", nothing)
    return found


def as_chosen(config: PipelineConfig, workspace: Workspace) -> PipelineConfig:
    """`config` with the settings and the number of iterations that evaluate found best, if it looked for any."""
    workspace.require("evaluate", config)
    found = workspace.summary(EvaluateSummary).found
    return found.applied(config)


def _fit(
    matrix: InteractionMatrix, config: PipelineConfig, fingerprint: str, min_recall_share: float, progress: Progress
) -> Fitted:
    if config.model.continuity == "none":
        return fit_model(matrix, config.model, progress=progress), Continuity()
    try:
        previous = find_previous_version(config, matrix, log=fingerprint)
    except ArtifactError as error:
        log.warning("fitted from scratch, tied to no version: %s", error)
        return fit_model(matrix, config.model, progress=progress), Continuity(tied_to_none=str(error))
    if previous is None:
        untied = Continuity(tied_to_none="no earlier version serves")
        return fit_model(matrix, config.model, progress=progress), untied
    warm = config.model
    if isinstance(warm, WarmStartConfig) and warm.continuity == "warm":
        return _warm_if_allowed(matrix, warm, config, previous, min_recall_share, progress)
    return _aligned(matrix, config, previous, progress)


def _warm_if_allowed(
    matrix: InteractionMatrix,
    warm: WarmStartConfig,
    config: PipelineConfig,
    previous: PreviousVersion,
    min_recall_share: float,
    progress: Progress,
) -> Fitted:
    if (why_not := why_not_warm(previous, warm, config)) is None:
        model, training = _warm(matrix, warm, previous, progress)
        if (why_not := _degraded(training, previous, min_recall_share)) is None:
            return model, training
    log.warning("fitted from scratch, aligned with %s: %s", previous.version, why_not)
    model, training = _aligned(matrix, config, previous, progress)
    return model, training.model_copy(update={"not_warm": why_not})


def _warm(matrix: InteractionMatrix, warm: WarmStartConfig, previous: PreviousVersion, progress: Progress) -> Fitted:
    fewer = warm.model_copy(update={"iterations": warm.warm_iterations})
    model = fit_model(matrix, fewer, start=carried_over(previous.earlier, matrix), progress=progress)
    continued = {
        "started_from": previous.version,
        "warm_nights": previous.warm_nights + 1,
        "iterations": fewer.iterations,
        "training_recall": training_recall(model.embeddings, matrix.csr),
        "training_recall_before": training_recall(previous.earlier.embeddings, previous.history),
    }
    return model, _compared(model, matrix, previous).model_copy(update=continued)


def _aligned(
    matrix: InteractionMatrix, config: PipelineConfig, previous: PreviousVersion, progress: Progress
) -> Fitted:
    model = fit_model(matrix, config.model, progress=progress)
    try:
        rotated = aligned(model, matrix.items, previous.earlier)
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
