"""train: the accepted configuration, fitted on everything."""

import logging
from dataclasses import dataclass
from functools import partial

from pipelines.steps.cold_start import completed_as_chosen
from pipelines.steps.summaries import EvaluateSummary, PrepareSummary, TrainSummary
from pipelines.steps.tied_fit import Fitted, fit_tied
from pipelines.steps.training_data import weigh_anew, weighed_anew
from pipelines.steps.workspace import StepOutput, Workspace
from recsys.content.cold_start.prior import Pull, with_prior
from recsys.data.cleaning import CleaningSummary
from recsys.data.matrix import Csr, InteractionMatrix
from recsys.evaluation.provenance import LocalPart
from recsys.memory import give_back
from recsys.models.factors.config import FactorModelConfig
from recsys.models.factors.continuity import EarlierEmbeddings, aligned, carried_over
from recsys.models.factors.model import FactorModel
from recsys.models.neighbours.learning_users import learning_users
from recsys.models.registry import fit_model
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class LocalFitting:
    """A `Fitting` in this process."""

    matrix: InteractionMatrix
    progress: Progress

    def fit(self, config: FactorModelConfig, start: EarlierEmbeddings | None) -> FactorModel:
        """The model of `config`."""
        carried = None if start is None else carried_over(start, self.matrix)
        return fit_model(self.matrix, config, start=carried, progress=self.progress)

    def aligned(self, model: FactorModel, earlier: EarlierEmbeddings) -> FactorModel:
        """`model`, turned."""
        return aligned(model, self.matrix.items, earlier)


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
        fit = fit_tied(
            matrix,
            chosen,
            LocalFitting(matrix, progress),
            log_mark=before.fingerprints.log,
            min_recall_share=min_recall_share,
        )
        output.summary = summary = complete_and_save(
            fit,
            matrix,
            chosen,
            config,
            workspace,
            output,
            learned_from=matrix.csr,
            pull=partial(with_prior, csr=matrix.csr),
            cleaning=cleaning,
            progress=progress,
        )
    return summary


def complete_and_save(
    fit: Fitted,
    matrix: InteractionMatrix,
    chosen: PipelineConfig,
    config: PipelineConfig,
    workspace: Workspace,
    output: StepOutput,
    *,
    learned_from: Csr,
    pull: Pull,
    cleaning: CleaningSummary | None,
    progress: Progress,
) -> TrainSummary:
    """Give items without events their vectors, write the model into `output`, and say what was done.

    `chosen`: `config` as evaluate chose. `learned_from`: rows of `matrix` from which neighbours were learned. `pull`:
    see `complete`.
    """
    model, training = fit
    neighbours = local_part(model, learned_from, chosen, n_users=matrix.n_users)
    model = completed_as_chosen(
        model,
        chosen.model,
        matrix,
        config,
        workspace,
        pull=pull,
        choice=workspace.summary(EvaluateSummary).cold_start,
        folder=output.folder,
        progress=progress,
    )
    model.save(output.folder / "model")
    if training.tied_to:
        output.inputs["tied_to"] = training.tied_to
    return TrainSummary(
        n_users=matrix.n_users,
        n_items=matrix.n_items,
        entries=int(matrix.csr.nnz),
        factors=model.embeddings.factors,
        losses=tuple(model.losses),
        training=training,
        cleaning=cleaning,
        neighbours=neighbours,
    )


def local_part(model: FactorModel, csr: Csr, config: PipelineConfig, *, n_users: int) -> LocalPart | None:
    """What came of the neighbours that `config` asks for, None if of none; a warning if there are none.

    `csr`: the rows that they were learned from, or a sample of them was; `n_users`: of the whole matrix.
    """
    if not (config.model.neighbours and config.model.neighbours_share):
        return None
    users, weights = learning_users(csr, config.model.neighbours), model.neighbours
    found = LocalPart(
        asked=config.model.neighbours,
        n_weights=0 if weights is None else int(weights.weights.nnz),
        n_users=n_users,
        learned_from=csr.shape[0] if users is None else len(users),
    )
    if nothing := found.nothing_came():
        log.warning("%s", nothing)
    return found


def as_chosen(config: PipelineConfig, workspace: Workspace) -> PipelineConfig:
    """`config` with the settings and the number of iterations that evaluate found best, if it looked for any."""
    workspace.require("evaluate", config)
    found = workspace.summary(EvaluateSummary).found
    return found.applied(config)
