"""What simulated coldness found: how items without events get vectors, and how good lists of such items are."""

from typing import Annotated

from pydantic import Field

from recsys.content.cold_start.settings import ColdStartSettings
from recsys.evaluation.number_format import count
from recsys.evaluation.provenance import OrAbsent, Summary


class ColdStartCandidate(Summary):
    """One way from content to vectors. `scores`: metric to its mean over users, ranked among the hidden items.

    `among_all`: the same, ranked among all items but those of the history; None if it was not measured.
    """

    name: str
    scores: dict[str, float]
    among_all: OrAbsent[dict[str, float]] = None


class RareItemsChoice(Summary):
    """What was chosen for items with a few users: hidden items that got back one to five of their users.

    `plain`, `chosen`: the mean of the metric for the users of the choice, ranked among these items, without content
    and with it. `all_plain`, `all_chosen`: ranked among all items, for `n_users` users of each of whom one warm item
    was held out, with the vectors of the fit and with the chosen ones. All know the item from the fit, so these are
    too high, and only to be compared. A choice that loses more there than chance explains is `refused`.
    """

    plain: float
    chosen: float
    all_plain: OrAbsent[float] = None
    all_chosen: OrAbsent[float] = None
    n_users: int = 0
    refused: bool = False

    def sentence(self, metric: str, settings: ColdStartSettings) -> str:
        """What was chosen, and what it changes."""
        told = f"{metric} {self.plain:.3f} to {self.chosen:.3f} among hidden items with 1 to 5 users"
        whole = ""
        if self.all_plain is not None and self.all_chosen is not None:
            whole = f", {self.all_plain:.4f} to {self.all_chosen:.4f} for warm items among all"
        if self.refused:
            return f"rare items keep the vectors of the fit, because content costs the others: {told}{whole}"
        if not settings.helps_rare_items:
            return "rare items keep the vectors of the fit, because content does not help them"
        how = f"prior strength {settings.prior_strength:g}, columns of content as {settings.content_users:g} users"
        return f"rare items: {how}, {told}{whole}"


class MeanOfUsers(Summary):
    """A mean over users and the bounds of its interval."""

    mean: float
    low: OrAbsent[float] = None
    high: OrAbsent[float] = None


class ColdItemsOfSlice(Summary):
    """Items that kept so many users, `users_of_item` as "1 to 5", for the `n_users` others that were taken away.

    `among_cold`: way to its metric, ranked among the items of the slice; `among_all`: ranked among all items.
    """

    users_of_item: str
    n_items: int
    n_users: int
    among_cold: dict[str, MeanOfUsers]
    among_all: dict[str, MeanOfUsers]


class ColdItemsSummary(Summary):
    """Lists of items that a fit of its own saw with few users or none; other items than those of the choice."""

    metric: str
    n_items: int
    slices: tuple[ColdItemsOfSlice, ...]

    def sentence(self) -> str:
        """Items without users, among themselves."""
        first = self.slices[0]
        ways = ", ".join(f"{name} {first.among_cold[name].mean:.3f}" for name in first.among_cold)
        return f"{count(first.n_items)} items hidden from a fit of their own: {self.metric} {ways}"


class ColdStartChoice(Summary):
    """What was chosen on items of the train side that were hidden from the choice.

    `metric`: by which candidates are compared, as "ndcg@20". `n_hidden`: hidden items; `n_warm`: the others, from
    which vectors are made; `n_users`: users of hidden items. `candidates`: random order first, then the best of each
    family. `chosen`: the one that is used. `n_tried`: settings that were measured. `rare`: what was chosen for items
    with a few users; None if the model has no prior, or no item can be rare. `measured`: on items of a further fit,
    None if there was none. `reason`: why nothing was chosen.
    """

    metric: str
    settings: ColdStartSettings
    n_hidden: int = 0
    n_warm: int = 0
    n_users: int = 0
    n_tried: int = 0
    chosen: OrAbsent[str] = None
    candidates: Annotated[tuple[ColdStartCandidate, ...], Field(exclude_if=lambda value: not value)] = ()
    reason: OrAbsent[str] = None
    rare: OrAbsent[RareItemsChoice] = None
    measured: OrAbsent[ColdItemsSummary] = None

    @property
    def best(self) -> ColdStartCandidate | None:
        """The candidate that was chosen."""
        return next((each for each in self.candidates if each.name == self.chosen), None)

    def sentence(self) -> str:
        """What was chosen, and what it reaches beside a random order."""
        if self.reason is not None:
            return f"cold start: {self.in_words()}, not chosen on hidden items: {self.reason}"
        best, random = self.best, self.candidates[0]
        figure = "" if best is None else f"{best.scores[self.metric]:.3f}"
        return (
            f"cold start: {self.in_words()}; {self.metric} {figure} among {count(self.n_hidden)} hidden items for"
            f" {count(self.n_users)} users (random {random.scores[self.metric]:.3f})"
            f"{'; ' + self.rare.sentence(self.metric, self.settings) if self.rare else ''}"
        )

    def in_words(self) -> str:
        """The settings as "mean of the 20 nearest, cosine ^ 4, of title 1 and authors 0.5"."""
        settings = self.settings
        mean = f"mean of the {settings.neighbours} nearest, cosine ^ {settings.power:g}"
        ridge = f"ridge {settings.ridge:g}"
        how = {"neighbours": mean, "ridge": ridge, "sum": f"{mean}, and {ridge}"}[settings.method]
        used = [f"{name} {weight:g}" for name, weight in settings.weights.items() if weight]
        return f"{how}, by {' and '.join(used)}" if used else how
