"""Lists."""

from dataclasses import dataclass

from recsys.client.replies.base import Attributes, ListReply, Reply


@dataclass(frozen=True, kw_only=True)
class Reason:
    """What one item of the user's history adds to a score."""

    item_id: str
    title: str | None = None
    contribution: float


@dataclass(frozen=True, kw_only=True)
class Like:
    """An item that a new item is like, and by what."""

    item_id: str
    title: str | None = None
    by: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """One place of a list. `new`: True if the item had no users in training, else None."""

    item_id: str
    score: float
    rank: int
    title: str | None = None
    reasons: tuple[Reason, ...] | None = None
    rest: float | None = None
    attributes: Attributes | None = None
    new: bool | None = None
    like: tuple[Like, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class User:
    """The user of a list; `status`: `known`, `folded_in` or `fallback`."""

    id: str | None = None
    status: str


@dataclass(frozen=True, kw_only=True)
class UserRef:
    """The user that a list belongs to."""

    id: str


@dataclass(frozen=True, kw_only=True)
class ItemRef:
    """The item that a list belongs to."""

    id: str


@dataclass(frozen=True, kw_only=True)
class Recommendations(ListReply):
    """A user's list, best first; if it is shorter than asked for, `warnings` say why."""

    user: User
    items: tuple[Ranked, ...]
    requested: int
    returned: int
    warnings: tuple[str, ...]
    unknown_items: tuple[str, ...] | None = None
    fresh_events: int | None = None


@dataclass(frozen=True, kw_only=True)
class PageItem:
    """The item that a row is about."""

    item_id: str
    title: str | None = None


@dataclass(frozen=True, kw_only=True)
class PageRow:
    """One row of a page; `index`: its place in the layout, from 0; `title`: its heading."""

    recommendation_id: str
    index: int
    kind: str
    title: str
    item: PageItem | None = None
    items: tuple[Ranked, ...]
    requested: int
    returned: int
    warnings: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PageReply(Reply):
    """The rows of a page; `warnings` name the empty ones that are left out."""

    rows: tuple[PageRow, ...]
    warnings: tuple[str, ...]
    fresh_events: int | None = None


@dataclass(frozen=True, kw_only=True)
class BatchReply(Reply):
    """One answer per question, in their order."""

    answers: tuple[Recommendations, ...]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One of the items that were put in order; `score`: None if it cannot be scored."""

    item_id: str
    score: float | None = None
    rank: int
    title: str | None = None
    known: bool
    has_vector: bool
    new: bool | None = None


@dataclass(frozen=True, kw_only=True)
class RankedCandidates(ListReply):
    """Candidates in a user's order."""

    user: User
    items: tuple[Candidate, ...]
    returned: int
    warnings: tuple[str, ...]
    unknown_items: tuple[str, ...] | None = None
    fresh_events: int | None = None


@dataclass(frozen=True, kw_only=True)
class RankedUser:
    """One place of a list of users."""

    user_id: str
    score: float
    rank: int


@dataclass(frozen=True, kw_only=True)
class SimilarUsers(ListReply):
    """The most similar users, nearest first."""

    user: UserRef
    users: tuple[RankedUser, ...]
    requested: int
    returned: int
    warnings: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SimilarItems(ListReply):
    """An item's nearest neighbours, best first."""

    item: ItemRef
    items: tuple[Ranked, ...]
    requested: int
    returned: int
    warnings: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ItemsSimilarToSeveral(ListReply):
    """Items similar to `positive` and dissimilar to `negative`, best first."""

    positive: tuple[str, ...]
    negative: tuple[str, ...]
    items: tuple[Ranked, ...]
    requested: int
    returned: int
    warnings: tuple[str, ...]
    unknown_items: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class ItemsFound(ListReply):
    """Items found by words, best first."""

    items: tuple[Ranked, ...]
    requested: int
    returned: int
    warnings: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class UserHistory(Reply):
    """What the version stores of a user; `score` is the weight of an item."""

    user: UserRef
    items: tuple[Ranked, ...]


@dataclass(frozen=True, kw_only=True)
class FoundUser:
    """A user found by id; `status`: `known` or `folded_in`; `n_items`: in the stored history."""

    user_id: str
    status: str
    n_items: int


@dataclass(frozen=True, kw_only=True)
class UsersFound(Reply):
    """Users found by the beginning of their id."""

    users: tuple[FoundUser, ...]
