"""What the engine answers: lists in external ids and titles, and warnings about what a list lacks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import starmap
from typing import TYPE_CHECKING, Literal

from recsys.data.arrays import Floats, Indices
from recsys.data.items import Items
from recsys.engine.question import Question
from recsys.errors import IncompleteAnswerError, InvalidRequestError, UnknownItemError, UnknownUserError
from recsys.experiments.assignment import ArmName
from recsys.suggestions import nearest_name

if TYPE_CHECKING:
    import pandas as pd

UserStatus = Literal["known", "folded_in", "fallback"]
"""known: from the user's own vector; folded_in: from the history of a user who was not trained on, or given with the
question; fallback: most popular."""


@dataclass(frozen=True)
class Reason:
    """What one item of a user's history adds to the score of a recommended one; `title` is None if unknown."""

    item_id: str
    title: str | None
    contribution: float


@dataclass(frozen=True)
class Like:
    """An item that a new item is like; `by`: the attributes, or the sources of content, that make them alike."""

    item_id: str
    title: str | None
    by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ranked:
    """One place of a list. `rank` starts at 1; `title` is None if unknown.

    `score`: for recommendations an inner product and what neighbours add, for similar items a cosine, a popularity in
    a fallback list, a weight in a history. Only scores of one list compare.
    If reasons were asked for and the list is not a fallback: `reasons`, the items of the history that add most to the
    score, largest first, and `rest`, what everything else adds; contributions and rest sum to `score`.
    If fields were asked for: `attributes`, the item's known ones of these.
    `new`: True if the item had no users in training, and its vector was made from what is known of it; else None.
    `like`: if reasons were asked for and the item is new, the items whose content is nearest (`Likeness`).
    """

    item_id: str
    score: float
    rank: int
    title: str | None
    reasons: tuple[Reason, ...] | None = None
    rest: float | None = None
    attributes: Mapping[str, object] | None = None
    new: Literal[True] | None = None
    like: tuple[Like, ...] | None = None

    def __repr__(self) -> str:
        """Without what is not known or was not asked for."""
        told = {name: getattr(self, name) for name in self.__slots__}
        return f"Ranked({', '.join(f'{name}={value!r}' for name, value in told.items() if value is not None)})"


@dataclass(frozen=True, kw_only=True)
class Served:
    """What the service adds to a list: `recommendation_id`, and the `arm` of a running experiment that gave it.

    A list that was made elsewhere has no id.
    """

    recommendation_id: str = ""
    arm: ArmName | None = None


@dataclass(frozen=True, kw_only=True)
class Answer(Served):
    """A list and how it came about.

    `user_id`: the user of the question, None for a visitor and for items similar to others. `user_status` is None for
    items similar to others. `requested`: the k asked for; if `items` are fewer, `warnings` say why.
    `unknown_items`: ids of the question that are not items of this version, each once.
    """

    model_version: str
    user_id: str | None = None
    user_status: UserStatus | None = None
    requested: int
    items: tuple[Ranked, ...]
    warnings: tuple[str, ...] = ()
    unknown_items: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """One line, however long the list."""
        return _line_of(self, f"{len(self.items)} of {self.requested} items")

    def to_frame(self) -> "pd.DataFrame":
        """One row per item; see `recsys.engine.to_frame`, which also puts several answers into one frame."""
        from recsys.engine.frames import to_frame  # noqa: PLC0415  (imports this module)

        return to_frame([self])


@dataclass(frozen=True)
class RankedUser:
    """One place of a list of users; `score` is the cosine of the two users' vectors."""

    user_id: str
    score: float
    rank: int


@dataclass(frozen=True, kw_only=True)
class UserAnswer(Served):
    """The users most similar to `user_id`, nearest first; if they are fewer than `requested`, `warnings` say why."""

    model_version: str
    user_id: str
    requested: int
    users: tuple[RankedUser, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Candidate:
    """One of the items to be put in order.

    `known`: whether this version has it. `has_vector`: whether it has a vector. `score` is None if the item
    is unknown, or cannot be scored without a vector. `new`: as of `Ranked`.
    """

    item_id: str
    score: float | None
    rank: int
    title: str | None
    known: bool
    has_vector: bool
    new: Literal[True] | None = None


@dataclass(frozen=True, kw_only=True)
class CandidateAnswer(Served):
    """Candidates in a user's order: scored ones first, then known ones without a score, then unknown ones."""

    model_version: str
    user_id: str | None
    user_status: UserStatus
    items: tuple[Candidate, ...]
    warnings: tuple[str, ...] = ()
    unknown_items: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """One line, however long the list."""
        return _line_of(self, f"{len(self.items)} items")

    def to_frame(self) -> "pd.DataFrame":
        """One row per item; see `recsys.engine.to_frame`, which also puts several answers into one frame."""
        from recsys.engine.frames import to_frame  # noqa: PLC0415  (imports this module)

        return to_frame([self])


@dataclass(frozen=True)
class ItemView:
    """What is known of one item.

    `n_users`: number of users of the training log who interacted with it. `has_vector`: whether it has a vector,
    learned or made from what is known of the item; without one it is never listed and has no neighbours by
    behaviour. `new`: True if it has a vector without any user, else None.
    """

    item_id: str
    title: str | None
    attributes: Mapping[str, object]
    n_users: int
    has_vector: bool
    new: Literal[True] | None = None


def _line_of(answer: Answer | CandidateAnswer, size: str) -> str:
    first = ", ".join(repr(item.item_id) for item in answer.items[:_SHOWN])
    told = {
        "user": repr(answer.user_id) if answer.user_id is not None else None,
        "status": answer.user_status,
        size: f"[{first}{', ...' if len(answer.items) > _SHOWN else ''}]",
        "warnings": str(len(answer.warnings)) if answer.warnings else None,
        "version": answer.model_version,
    }
    parts = (f"{name}: {value}" for name, value in told.items() if value is not None)
    return f"{type(answer).__name__}({', '.join(parts)})"


_SHOWN = 3


def ranked(
    items: Items, indices: Indices, scores: Floats, *, new: Sequence[Literal[True] | None] | None = None
) -> tuple[Ranked, ...]:
    """The list of the items at `indices`, int32 (n,), best first, with `scores`, float32 (n,); `new`: of `Ranked`."""
    at = indices.tolist()
    places = zip(items.ids.decode(at), scores.tolist(), range(1, len(at) + 1), items.titles(at), strict=True)
    if new is None:
        return tuple(starmap(Ranked, places))
    return tuple(Ranked(*it, new=is_new) for it, is_new in zip(places, new, strict=True))


def with_fields(
    listed: tuple[Ranked, ...], items: Items, indices: Indices, fields: Sequence[str]
) -> tuple[Ranked, ...]:
    """The list of the items at `indices`, int32 (n,), each with its known attributes of the names `fields`."""
    if not fields:
        return listed
    known = [items.attributes(at, fields) for at in indices.tolist()]
    return tuple(replace(item, attributes=each) for item, each in zip(listed, known, strict=True))


def check_fields(fields: Sequence[str], items: Items) -> None:
    """Raise InvalidRequestError unless `fields` are a list of attributes of `items`; "title" is always listed."""
    if not fields:
        return
    if isinstance(fields, str):
        raise InvalidRequestError("fields: expected a list of names, got one text")
    known = items.table.column_names
    for name in fields:
        if name not in known:
            nearest = nearest_name(name, known) if isinstance(name, str) else None
            hint = f"; did you mean {nearest!r}?" if nearest else f"; known: {', '.join(known) or 'none'}"
            raise InvalidRequestError(f"fields: holds a name that is no attribute of this version's items{hint}")


# --- warnings: why a list is a fallback, what was ignored, why it is short

UNKNOWN_USER = "this user is not in the model; these are the most popular items"
ONLY_EVENTS = "this user is not in the model; only the events count"
IGNORED_EVENTS = "events of kinds that this version ignores: {}"
NO_USER = "neither a user nor an event was given; these are the most popular items"
NO_USABLE_EVENT = "none of the events counts for an item with a learned vector; these are the most popular items"
USER_WITHOUT_VECTOR = "this user has no learned vector; these are the most popular items"

UNKNOWN_ITEMS = "items that this version does not have: {}"
ITEMS_WITHOUT_VECTOR = "items without a vector, which cannot be compared or scored: {}"

ITEM_WITHOUT_VECTOR = "this item has no vector to compare, so it has no neighbours"
NO_DIRECTION = "the items have no vectors to compare, or these cancel out, so they have no neighbours"
NO_KNOWN_WORD = "this version knows none of the words, so nothing is found"
NO_SIMILAR_USERS = "this user has no learned vector, so there are no similar users"


LISTED = " can be listed"
HIDDEN = "items without interactions"
HIDDEN_BESIDE_NEW = "items without interactions of which too little is known"


def limits_of(question: Question, *, has_seen: bool, hidden: str | None) -> list[str]:
    """What can make the list of `question` short.

    `has_seen`: whether items are left out because the user has seen them. `hidden`: what eligible items that cannot
    be listed have in common, HIDDEN or HIDDEN_BESIDE_NEW; None if there are no such items.
    """
    limits = {
        "the filter": question.filter is not None,
        "`include`": question.include is not None,
        "`exclude`": bool(question.exclude),
        "what this user has already seen": has_seen,
    }
    return [limit for limit, applies in limits.items() if applies] + ([] if hidden is None else [hidden])


def short_list(listed: int, limits: list[str], *, noun: str = "item") -> str:
    """The warning that only `listed` items can be listed, and what limits them."""
    *others, last = limits or [""]
    cause = f" because of {', '.join(others)}{' and ' if others else ''}{last}" if limits else ""
    count = f"only {listed} {noun}{'' if listed == 1 else 's'}" if listed else f"no {noun}"
    return f"{count}{LISTED}{cause}"


def refuse_incomplete(answer: Answer, *, is_user: bool) -> None:
    """Raise UnknownUserError, UnknownItemError or IncompleteAnswerError if `answer` has any such warning.

    `is_user`: whether the user of the question is known, or there is none.
    """
    if not is_user:
        raise UnknownUserError(answer.user_id or "")
    if answer.unknown_items:
        raise UnknownItemError(*answer.unknown_items)
    if answer.user_status == "fallback" or len(answer.items) < answer.requested:
        raise IncompleteAnswerError("; ".join(answer.warnings))
