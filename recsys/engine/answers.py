"""What the engine says: lists of items, in the ids and titles of the outside world."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import starmap
from typing import Any, Literal

from recsys.data.arrays import Floats, Indices
from recsys.data.items import Items

UserStatus = Literal["known", "folded_in", "fallback"]
"""known: from the user's own vector; folded_in: from a history given with the question; fallback: most popular."""


@dataclass(frozen=True)
class Reason:
    """What one item of a user's history adds to the score of a recommended one; `title` is None where unknown."""

    item_id: str
    title: str | None
    contribution: float


@dataclass(frozen=True, slots=True)
class Ranked:
    """One place of a list. `rank` starts at 1; `title` is None where it is unknown.

    `score`: an inner product for recommendations, a cosine for similar items, a popularity in a fallback list,
    a weight in a history. Only scores of one list compare.
    Where reasons were asked for and the list is the model's: `reasons`, the items of the history that add most,
    largest first, and `rest`, what all else adds; contributions and rest sum to `score`.
    """

    item_id: str
    score: float
    rank: int
    title: str | None
    reasons: tuple[Reason, ...] | None = None
    rest: float | None = None


@dataclass(frozen=True)
class Answer:
    """A list and how it came about.

    `user_status` is None where no user was asked about. `requested`: the k asked for; where `items` are fewer,
    `warnings` say why. `unknown_items`: ids of the question that are no items of this version, each once.
    """

    model_version: str
    user_status: UserStatus | None
    requested: int
    items: tuple[Ranked, ...]
    warnings: tuple[str, ...] = ()
    unknown_items: tuple[str, ...] = ()


@dataclass(frozen=True)
class RankedUser:
    """One place of a list of users; `score` is the cosine of the two users' vectors."""

    user_id: str
    score: float
    rank: int


@dataclass(frozen=True)
class UserAnswer:
    """Users alike, nearest first; where they are fewer than `requested`, `warnings` say why."""

    model_version: str
    requested: int
    users: tuple[RankedUser, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Candidate:
    """One of the items to be put in order. `known`: whether this version has it; `score` is None where it has not."""

    item_id: str
    score: float | None
    rank: int
    title: str | None
    known: bool


@dataclass(frozen=True)
class CandidateAnswer:
    """Candidates in somebody's order: known ones by score, then unknown ones as they came."""

    model_version: str
    user_status: UserStatus
    items: tuple[Candidate, ...]
    warnings: tuple[str, ...] = ()
    unknown_items: tuple[str, ...] = ()


@dataclass(frozen=True)
class ItemView:
    """What is known of one item. `n_users`: how many users of the training log had to do with it."""

    item_id: str
    title: str | None
    attributes: Mapping[str, Any]
    n_users: int


def ranked(items: Items, indices: Indices, scores: Floats) -> tuple[Ranked, ...]:
    """The list of the items at `indices`, int32 (n,), best first, with `scores`: float32 (n,)."""
    at = indices.tolist()
    places = zip(items.ids.decode(at), scores.tolist(), range(1, len(at) + 1), map(items.title, at), strict=True)
    return tuple(starmap(Ranked, places))
