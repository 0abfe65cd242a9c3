"""JobSummary: what a whole night did."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from pipelines.steps.summaries.evaluate_summary import EncodeSummary, EvaluateSummary
from pipelines.steps.summaries.prepare_summary import PrepareSummary
from pipelines.steps.summaries.publish_summary import ExportSummary, PublishSummary
from pipelines.steps.summaries.step_summary import AnySummary, StepSummary
from pipelines.steps.summaries.train_summary import IndexStepSummary, TrainSummary


@dataclass(frozen=True)
class JobSummary:
    """The summaries of the steps that ran, and the seconds each took, by the step's name and in order.

    Reading the summary of a step that did not run raises KeyError.
    """

    summaries: Mapping[str, StepSummary]
    seconds: Mapping[str, float]

    @property
    def prepare(self) -> PrepareSummary:
        """What prepare did."""
        return self._of(PrepareSummary)

    @property
    def encode(self) -> EncodeSummary:
        """What encode did."""
        return self._of(EncodeSummary)

    @property
    def evaluate(self) -> EvaluateSummary:
        """What evaluate did."""
        return self._of(EvaluateSummary)

    @property
    def train(self) -> TrainSummary:
        """What train did."""
        return self._of(TrainSummary)

    @property
    def index(self) -> IndexStepSummary:
        """What index did."""
        return self._of(IndexStepSummary)

    @property
    def publish(self) -> PublishSummary:
        """What publish did."""
        return self._of(PublishSummary)

    @property
    def export(self) -> ExportSummary:
        """What export did."""
        return self._of(ExportSummary)

    def __contains__(self, step: object) -> bool:
        return step in self.summaries

    def _of(self, kind: type[AnySummary]) -> AnySummary:
        summary = self.summaries[kind.step]
        if not isinstance(summary, kind):
            raise TypeError(f"{kind.step}: got a {type(summary).__name__}, expected a {kind.__name__}")
        return summary

    def to_dict(self) -> dict[str, dict[str, JsonValue]]:
        """Step to its summary as JSON, with its seconds."""
        return {
            step: {**summary.model_dump(mode="json"), "seconds": self.seconds[step]}
            for step, summary in self.summaries.items()
        }
