"""Step: what every step of the job is, whichever engine does its work."""

from typing import Protocol

from pipelines.steps.summaries import StepSummary
from pipelines.steps.workspace import Workspace
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress


class Step(Protocol):
    """One step of the job: reads the outputs of the steps before it, writes its own."""

    def __call__(self, config: PipelineConfig, workspace: Workspace, *, progress: Progress) -> StepSummary:
        """Do the step; returns what it did."""
