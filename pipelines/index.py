"""index: the trained item vectors made searchable, and the search measured against exact."""

from typing import Any

from pipelines.workspace import Workspace
from recsys.config import PipelineConfig
from recsys.data.matrix import InteractionMatrix
from recsys.models.training import TrainedModel
from recsys.progress import Progress
from recsys.retrieval.exact import ExactSearch, normalised
from recsys.retrieval.faiss_index import build_index, measure_recall

_RECALL_K = 100
_SAMPLED_USERS = 1_000


def index(config: PipelineConfig, workspace: Workspace, *, progress: Progress) -> dict[str, Any]:
    """Build the index for recommendations and the one for similar items. Returns the summary."""
    prepared = workspace.require("prepare", config)
    embeddings = TrainedModel.load(workspace.require("train", config) / "model").embeddings
    matrix = InteractionMatrix.load(prepared / "matrix")
    with workspace.output("index", config) as output:
        built = build_index(embeddings.scoring_items, config.index, progress=progress)
        built.save(output.folder / "index.faiss")
        build_index(normalised(embeddings.items), config.index, progress=progress).save(
            output.folder / "similar.faiss"
        )
        sample = slice(0, None, max(1, matrix.n_users // _SAMPLED_USERS))
        recall = measure_recall(
            built,
            ExactSearch(embeddings.scoring_items),
            embeddings.users[sample],
            k=_RECALL_K,
            exclude=matrix.csr[sample],
        )
        output.summary.update({"kind": built.kind, f"recall@{_RECALL_K}": recall})
    return workspace.summary("index")
