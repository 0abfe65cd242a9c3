"""Question: everything a list can be asked for with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from recsys.engine.bounds import check_id, check_k, check_number
from recsys.engine.events import Event
from recsys.errors import InvalidRequestError

MAX_LISTED, MAX_BOOSTED = 10_000, 1_000
"""The most ids of `include` and of `exclude`, and of `boosts`."""

MAX_BOOST = 1_000.0
"""The largest factor; the smallest is one over it."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """Who wants a list, and which.

    `user_id`: whose stored history counts; None for a visitor. `events`: what they did beside that. Where both are
    given, they are one history. `exclude_seen`: leave out what is stored of the user, and the items of `events`.

    `filter`: a condition on the items' attributes (docs/filters.md). `include`: only these items may be listed.
    `exclude`: these may not. `boosts`: by item id, what its score is multiplied by; a factor above 1 always lifts
    an item, below 1 always lowers it, for a score below zero is divided instead. `diversity`: from 0 to 1, how much
    an item counts for being unlike those before it (`recsys.engine.diversity`).
    `explain`: give each item its reasons. `strict`: raise where the answer would be a fallback, short, or would
    leave out items that are not known, instead of warning.
    """

    user_id: str | None = None
    events: tuple[Event, ...] = ()
    k: int = 10
    exclude_seen: bool = True
    filter: str | None = None
    include: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    boosts: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    diversity: float = 0.0
    explain: bool = False
    strict: bool = False

    def check(self) -> None:
        """Raise InvalidRequestError where a bound is not kept; events and filter are checked where they are read."""
        check_k(self.k)
        if self.user_id is not None:
            check_id(self.user_id, "user_id")
        check_number(self.diversity, "diversity", 0, 1)
        if self.include is not None and not self.include:
            raise InvalidRequestError("include: holds no id; leave it out where every item may be listed")
        check_ids(self.include or (), "include", MAX_LISTED)
        check_ids(self.exclude, "exclude", MAX_LISTED)
        check_ids(tuple(self.boosts), "boosts", MAX_BOOSTED)
        for factor in self.boosts.values():
            check_number(factor, "boosts", 1 / MAX_BOOST, MAX_BOOST)


def check_ids(ids: Sequence[str], name: str, most: int) -> None:
    """Raise InvalidRequestError where `ids`, called `name` by who asks, are more than `most`, or one is no id."""
    if len(ids) > most:
        raise InvalidRequestError(f"{name}: {len(ids)} ids came; expected at most {most}")
    for external_id in ids:
        check_id(external_id, name)
