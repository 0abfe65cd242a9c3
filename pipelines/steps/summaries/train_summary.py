"""What train and index did."""

from pydantic import ConfigDict, JsonValue

from pipelines.steps.summaries.step_summary import StepSummary
from recsys.evaluation.number_format import count, figure
from recsys.evaluation.provenance import (
    Cleaning,
    Continuity,
    IndexSummary,
    LocalPart,
    OrAbsent,
)


class TrainSummary(StepSummary):
    """The size of the model, its loss by iteration, and how its vectors are tied to an earlier version.

    `cleaning`: what became of the events, if they were weighed anew under a half-life that was chosen. `neighbours`:
    None if none were asked for.
    """

    step = "train"

    n_users: int
    n_items: int
    entries: int
    factors: int
    losses: tuple[float, ...]
    training: Continuity
    cleaning: OrAbsent[Cleaning] = None
    neighbours: OrAbsent[LocalPart] = None

    def log_fields(self) -> dict[str, JsonValue]:
        """Entries of the matrix, and vectors made of them."""
        sizes = {"users": self.n_users, "items": self.n_items, "factors": self.factors}
        return {"rows_in": self.entries, "rows_out": self.n_users + self.n_items, **sizes}

    def sentence(self) -> str:
        """The size of the model, and what its vectors are tied to."""
        return f"{self.factors} factors for {count(self.n_users)} users and {count(self.n_items)} items{self._tied()}"

    def _tied(self) -> str:
        training = self.training
        if training.tied_to_none:
            return f"; not aligned with an earlier version: {training.tied_to_none}"
        if training.tied_to is None:
            return ""
        how = "continued from" if training.started_from else "fitted from scratch, aligned with"
        why = f" ({training.not_warm})" if training.not_warm else ""
        return f"; {how} {training.tied_to}{why}, mean item cosine {figure(training.mean_item_cosine)}"


class IndexStepSummary(IndexSummary, StepSummary):
    """The published index and the one for similar items. `n_items`: indexed vectors."""

    model_config = ConfigDict(extra="allow")
    step = "index"

    n_items: OrAbsent[int] = None

    def log_fields(self) -> dict[str, JsonValue]:
        """Items of the index, its kind and its recall."""
        return {
            "rows_in": self.n_items,
            "rows_out": self.n_items,
            "kind": self.kind,
            "recall@100": self.facts.get("recall@100"),
        }

    def sentence(self) -> str:
        """The kind of the index and its recall."""
        recall = self.facts.get("recall@100")
        return f"{self.kind}, recall@100 {recall:.4f}" if isinstance(recall, float | int) else self.kind
