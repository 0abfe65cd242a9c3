"""ColdStartSettings: how content becomes learned vectors, once everything is chosen."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from recsys.content.space import ContentSpace

Method = Literal["neighbours", "ridge", "sum"]


@dataclass(frozen=True)
class ColdStartSettings:
    """What the mapping from content to the learned space works with.

    `method`: "neighbours" is the mean of the nearest warm items' vectors, "ridge" a regression, "sum" both added.
    `neighbours`, `power`: items in the mean, and the power of the cosine that is the weight of each. `ridge`: of the
    regression, as a multiple of the mean of the diagonal. `full_length`: whether a mean is brought to the mean
    length of the vectors in it, because a mean of different vectors is shorter than they are; a ridge shrinks too.
    `own_weight`: what a content neighbour in a history adds to the score of a new item, as a multiple of the largest
    weight that an item has on average. `local`: multiplies the neighbours' part of a new item's score.
    `prior_strength`: see `recsys.content.cold_start.prior`; 0: rare items keep the vectors of the fit.
    `content_users`: a rare item's column of the item-item weights gets the column of its content, times this / (this
    + its users); 0: nothing of it.
    `weights`: source to its weight; sources that are not named keep theirs.
    """

    method: Method = "neighbours"
    neighbours: int = 20
    power: float = 4.0
    ridge: float = 1.0
    full_length: bool = True
    own_weight: float = 1.0
    local: float = 1.0
    prior_strength: float = 0.0
    content_users: float = 0.0
    weights: Mapping[str, float] = field(default_factory=dict, hash=False)

    @property
    def helps_rare_items(self) -> bool:
        """Whether content changes anything about items with a few users."""
        return self.prior_strength > 0 or self.content_users > 0

    def without_rare_items(self) -> "ColdStartSettings":
        """The same for new items; rare items are left as the fit made them."""
        return replace(self, prior_strength=0.0, content_users=0.0)

    def weighted(self, space: ContentSpace) -> ContentSpace:
        """`space` with the weights of its sources; those of weight zero are left out."""
        return space.with_weights([self.weights.get(source.name, source.weight) for source in space.sources])
