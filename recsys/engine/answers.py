"""What the engine says: lists of items, in the ids and titles of the outside world."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

UserStatus = Literal["known", "folded_in", "fallback"]
"""known: from the user's own vector; folded_in: from a history given with the question; fallback: most popular."""


@dataclass(frozen=True)
class Ranked:
    """One place of a list. `rank` starts at 1; `title` is None where it is unknown.

    `score`: an inner product for recommendations, a cosine for similar items, a popularity in a fallback list,
    a weight in a history. Only scores of one list compare.
    """

    item_id: str
    score: float
    rank: int
    title: str | None


@dataclass(frozen=True)
class Answer:
    """A list and how it came about.

    `user_status` is None where no user was asked about. `requested`: the k asked for; where `items` are fewer,
    `warnings` say why.
    """

    model_version: str
    user_status: UserStatus | None
    requested: int
    items: tuple[Ranked, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class ItemView:
    """What is known of one item. `n_users`: how many users of the training log had to do with it."""

    item_id: str
    title: str | None
    attributes: Mapping[str, Any]
    n_users: int
