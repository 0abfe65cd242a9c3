"""The content vectors of a night: those that `encode` wrote, and those that a version keeps."""

from pipelines.steps.workspace import Workspace
from recsys.content.space import ContentSpace
from recsys.pipeline_config import PipelineConfig

FOLDER = "content"
"""In the folder of a step: the ContentSpace that it wrote."""


def stored_space(config: PipelineConfig, workspace: Workspace, *, step: str = "encode") -> ContentSpace | None:
    """The space that `step` wrote, over the items of prepare; None if it wrote none.

    Raises ArtifactError if it is damaged.
    """
    folder = workspace.folder(step) / FOLDER
    return ContentSpace.load(folder) if config.content and folder.exists() else None


def published_space(config: PipelineConfig, workspace: Workspace) -> ContentSpace | None:
    """The space that a version keeps: that of train, which has the chosen weights, or else that of encode."""
    return stored_space(config, workspace, step="train") or stored_space(config, workspace)
