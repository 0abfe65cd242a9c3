"""index: search over the trained item vectors, every candidate measured against exact search."""

from pipelines.steps.summaries import IndexStepSummary
from pipelines.steps.train import as_chosen
from pipelines.steps.training_data import training_folder
from pipelines.steps.workspace import Workspace
from recsys.data.matrix import Csr, InteractionMatrix
from recsys.data.seen import load_seen
from recsys.models.factors.model import FactorModel
from recsys.models.neighbours.learning_users import steps_of
from recsys.models.registry import load_model
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress
from recsys.retrieval.allowance import Allowance, allowed_work
from recsys.retrieval.choice import Choice, choose_index
from recsys.retrieval.exact import normalised
from recsys.retrieval.families.cells import Cells
from recsys.retrieval.index_files import save_index
from recsys.tuning.work import night_work

_SAMPLED = 1_000


def index(config: PipelineConfig, workspace: Workspace, *, progress: Progress) -> IndexStepSummary:
    """Choose and build the index for recommendations and the one for similar items."""
    model = load_model(workspace.require("train", config) / "model")
    data = training_folder(workspace)
    matrix = InteractionMatrix.load(data / "matrix")
    with workspace.output("index", config) as output:
        left_out = None
        if config.evaluate.exclude_seen:
            seen = load_seen(data, matrix.csr.shape)
            left_out = matrix.csr if seen is None else seen
        trained, csr = as_chosen(config, workspace).model, matrix.csr
        fits = night_work(csr.shape, csr.nnz, trained, steps=steps_of(csr, trained.neighbours))
        allowance = Allowance(allowed_work(fits, config.index))
        chosen = _for_users(model, left_out, config, allowance=allowance, progress=progress)
        save_index(chosen.index, output.folder, "index")
        similar = _for_items(model, config, cells=chosen.cells, allowance=allowance, progress=progress)
        save_index(similar.index, output.folder, "similar")
        output.summary = IndexStepSummary.model_validate(
            chosen.summary() | {"similar": similar.summary(), "n_items": matrix.n_items}
        )
    return output.summary


def _for_users(
    model: FactorModel, left_out: Csr | None, config: PipelineConfig, *, allowance: Allowance, progress: Progress
) -> Choice:
    """The index for recommendations, measured with the users' vectors. `left_out`: what their lists leave out."""
    users = _spread(len(model.embeddings.users))
    vectors, seen = model.embeddings.users[users], None if left_out is None else left_out[users]
    return choose_index(
        model.embeddings.scoring_items,
        vectors,
        config.index,
        exclude=seen,
        allowance=allowance,
        progress=progress,
    )


def _for_items(
    model: FactorModel, config: PipelineConfig, *, cells: Cells | None, allowance: Allowance, progress: Progress
) -> Choice:
    """The index for similar items, measured with the items' own vectors. `cells`: those of the other choice."""
    items = normalised(model.embeddings.items)

    def similar_progress(stage: str, done: float, total: float | None) -> None:
        progress(f"similar: {stage}", done, total)

    return choose_index(
        items,
        items[_spread(len(items))],
        config.index,
        cells=None if cells is None else cells.by_direction(items.shape[1]),
        allowance=allowance,
        progress=similar_progress,
    )


def _spread(n: int) -> slice:
    """About a thousand of n rows, evenly spread."""
    return slice(0, None, max(1, n // _SAMPLED))
