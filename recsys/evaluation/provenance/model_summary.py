"""What was learned beside the factors: visitors, continuity with the last night, the local part."""

from typing import TYPE_CHECKING

from pydantic import Field

from recsys.evaluation.number_format import count

if TYPE_CHECKING:
    pass
from recsys.evaluation.provenance.summary import OrAbsent, Summary


class MeanOfVisitors(Summary):
    """A mean over visitors and the bounds of its interval."""

    mean: float
    low: OrAbsent[float] = None
    high: OrAbsent[float] = None


class VisitorsWithItems(Summary):
    """Visitors of whom `n_known` items are known, and the metric of every model, by name."""

    n_known: int
    n_visitors: int
    models: dict[str, MeanOfVisitors]


class VisitorsSummary(Summary):
    """How good lists are for people of whom only a few items are known. `source`: where they come from."""

    metric: str
    source: str
    known: tuple[VisitorsWithItems, ...]


class Continuity(Summary):
    """How the published vectors are tied to an earlier version; empty with `model.continuity = "none"`.

    A warm start has `started_from`, an aligned fit `aligned_to`, and a fit tied to no version the reason,
    `tied_to_none`. `not_warm`: why a configured warm start was not made. `warm_nights`: warm starts in a row,
    including this one. `mean_item_cosine`: between an item's vectors now and then.
    """

    started_from: OrAbsent[str] = None
    aligned_to: OrAbsent[str] = None
    tied_to_none: OrAbsent[str] = None
    not_warm: OrAbsent[str] = None
    warm_nights: OrAbsent[int] = None
    iterations: OrAbsent[int] = None
    mean_item_cosine: OrAbsent[float] = None
    new_items: OrAbsent[int] = None
    new_users: OrAbsent[int] = None
    training_recall: OrAbsent[float] = Field(None, alias="training_recall@20")
    training_recall_before: OrAbsent[float] = Field(None, alias="training_recall@20_before")

    @property
    def tied_to(self) -> str | None:
        """The earlier version, whichever way the vectors are tied to it."""
        return self.started_from or self.aligned_to


class LocalPart(Summary):
    """The neighbours of a model. `asked`: `model.neighbours`. `n_weights`: of all items; 0 if none came.

    `n_users`: of the training matrix. `learned_from`: how many of them the weights were learned from.
    """

    asked: int
    n_weights: int
    n_users: int
    learned_from: int

    def nothing_came(self) -> str | None:
        """What to know if neighbours were asked for and none came."""
        if self.n_weights:
            return None
        return (
            f"model.neighbours asks for {self.asked}, but none were learned: too few users have two items, or the"
            " vectors tell no items apart; scores are those of the vectors alone"
        )

    def sampled(self) -> str | None:
        """That only some users were learned from."""
        if self.learned_from == self.n_users:
            return None
        return (
            f"The weights of neighbours were learned from a sample of {count(self.learned_from)} of"
            f" {count(self.n_users)} users, because all of them would take too long."
        )
