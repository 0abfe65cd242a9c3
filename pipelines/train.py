"""train: the accepted configuration, fitted on everything."""

from typing import Any

from pipelines.workspace import Workspace
from recsys.config import PipelineConfig
from recsys.data.matrix import InteractionMatrix
from recsys.models.training import train_model
from recsys.progress import Progress


def train(config: PipelineConfig, workspace: Workspace, *, progress: Progress) -> dict[str, Any]:
    """Fit the model on the whole matrix; write its vectors. Returns the summary."""
    matrix = InteractionMatrix.load(workspace.require("prepare", config) / "matrix")
    with workspace.output("train", config) as output:
        model = train_model(matrix, config.model, progress=progress)
        model.save(output.folder / "model")
        output.summary.update(
            n_users=matrix.n_users,
            n_items=matrix.n_items,
            entries=int(matrix.csr.nnz),
            factors=model.embeddings.factors,
            losses=list(model.losses),
        )
    return workspace.summary("train")
