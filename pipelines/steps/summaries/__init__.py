"""What each step did, typed: the same summary is in step.json, in `--json`, in the report and in the manifest."""

from pipelines.steps.summaries.evaluate_summary import EncodeSummary, EvaluateSummary
from pipelines.steps.summaries.job_summary import JobSummary
from pipelines.steps.summaries.prepare_summary import (
    CatalogueSummary,
    Fingerprints,
    IncrementSummary,
    LogFileCounts,
    PrepareSummary,
)
from pipelines.steps.summaries.publish_summary import ExportResult, ExportSummary, PublishSummary
from pipelines.steps.summaries.step_summary import AnySummary, StepSummary
from pipelines.steps.summaries.train_summary import IndexStepSummary, TrainSummary

__all__ = [
    "AnySummary",
    "CatalogueSummary",
    "EncodeSummary",
    "EvaluateSummary",
    "ExportResult",
    "ExportSummary",
    "Fingerprints",
    "IncrementSummary",
    "IndexStepSummary",
    "JobSummary",
    "LogFileCounts",
    "PrepareSummary",
    "PublishSummary",
    "StepSummary",
    "TrainSummary",
]
