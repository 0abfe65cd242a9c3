"""The content vectors of a night: those that `encode` wrote, those of evaluate and train, and those of a version."""

from pipelines.steps.workspace import ENCODE, Workspace
from recsys.content.encoding import fit_on_histories
from recsys.content.registry import kind_of_encoder
from recsys.content.space import ContentSpace
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.data.matrix import InteractionMatrix
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress, silent

FOLDER = "content"
"""In the folder of a step: the ContentSpace that it wrote."""


def stored_space(config: PipelineConfig, workspace: Workspace, *, step: str = ENCODE) -> ContentSpace | None:
    """The space that `step` wrote, over the items of prepare; None if it wrote none.

    Raises ArtifactError if it is damaged.
    """
    folder = workspace.folder(step) / FOLDER
    return ContentSpace.load(folder) if config.content and folder.exists() else None


def published_space(config: PipelineConfig, workspace: Workspace, items: IdMap) -> ContentSpace | None:
    """The space that a version keeps, over `items`, those of the training data.

    That of train, which has the chosen weights and these items; or else that of encode, over the items of prepare.
    """
    trained = stored_space(config, workspace, step="train")
    space = stored_space(config, workspace) if trained is None else trained
    if space is None or space is trained:
        return space
    before = IdMap.load(workspace.folder("prepare") / "matrix" / "items.arrow")
    return space if items.ids.equals(before.ids) else space.aligned(before, items)


def content_space(
    config: PipelineConfig,
    stored: ContentSpace | None,
    matrix: InteractionMatrix,
    items: Items,
    *,
    progress: Progress = silent,
) -> ContentSpace | None:
    """All sources over the items of `matrix`, in the order of the configuration; None without `[[content]]`.

    `stored`: what `encode` wrote (`stored_space`), over `items`, those of prepare. Sources that learn from histories
    are fitted on `matrix`, so that on a train side they see nothing of the holdout.
    """
    same_items = matrix.items is items.ids or matrix.items.ids.equals(items.ids.ids)
    over = items if same_items else items.aligned(matrix.items)
    known = {}
    if stored is not None:
        aligned = stored if same_items else stored.aligned(items.ids, matrix.items)
        known = {source.name: source for source in aligned.sources}
    sources = []
    for source in config.content_sources:
        if kind_of_encoder(source).learns_from_histories(source):
            sources.append(fit_on_histories(over, source, matrix, progress=progress))
        elif source.source_name in known:
            sources.append(known[source.source_name])
    return ContentSpace(tuple(sources)) if sources else None
