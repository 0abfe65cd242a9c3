"""ColdItemsSummary: how well items are found that the model never saw an event of."""

from recsys.evaluation.comparison import Estimate, Estimates
from recsys.evaluation.definitions import split_name
from recsys.evaluation.number_format import count, figure
from recsys.evaluation.provenance import Summary


class ColdItemsSummary(Summary):
    """`n_hidden` items were hidden from a fit, and ranked for the `n_users` users who had chosen some of them.

    `n_others`: items with events that stayed. `among_hidden`, `among_all`: contestant to metric ("ndcg@20") to its
    estimate, if the hidden items compete among themselves, and with all other items. The model is the first
    contestant, "content" ranks by content vectors alone, "random" is a random order.
    """

    metric: str
    n_hidden: int
    n_others: int
    n_users: int
    among_hidden: dict[str, dict[str, Estimate]]
    among_all: dict[str, dict[str, Estimate]]

    @property
    def names(self) -> tuple[str, ...]:
        """The contestants, the model first."""
        return tuple(self.among_hidden)

    @property
    def shown(self) -> tuple[str, ...]:
        """The metrics at the cut-off of `metric`."""
        _, k = split_name(self.metric)
        return tuple(name for name in self.among_hidden[self.names[0]] if name.endswith(f"@{k}"))

    def tables(self) -> tuple[tuple[str, Estimates], ...]:
        """A title and the estimates, for both ways to rank."""
        return ("among the hidden items", self.among_hidden), ("among all items", self.among_all)

    def sentence(self) -> str:
        """Recall of the model beside content alone and chance."""
        name = self.shown[0]
        told = [f"{each} {figure(self.among_hidden[each][name].mean)}" for each in self.names]
        return (
            f"cold items: {name} of {count(self.n_hidden)} items that a fit never saw, ranked among themselves for"
            f" {count(self.n_users)} users: {', '.join(told)}"
        )
