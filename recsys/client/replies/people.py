"""What is held of a person, and what became of it."""

from dataclasses import dataclass

from recsys.client.replies.base import Reply
from recsys.client.replies.events import KeptEvent
from recsys.client.replies.lists import Ranked, UserRef


@dataclass(frozen=True, kw_only=True)
class ForgottenUser:
    """A user who is forgotten since `forgotten_at`, seconds since 1970.

    `events`, `impressions`, `sessions`: what was deleted, None if the store keeps none. `pending_versions`: versions
    on disk that still hold the user; nothing shows what they hold.
    """

    user_id: str
    forgotten_at: float
    events: int | None = None
    impressions: int | None = None
    sessions: int | None = None
    pending_versions: int


@dataclass(frozen=True, kw_only=True)
class GivenList:
    """A list that was given to a user. `given_at`: seconds since 1970. `items`: ids, the first place first."""

    recommendation_id: str
    given_at: float
    session_id: str | None = None
    version: str
    arm: str | None = None
    kind: str
    status: str | None = None
    items: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class UserData(Reply):
    """All that a version and the event store hold of a user; `events` and `impressions` are the latest of `n_...`.

    `status`, `vector`: None if the version holds none. `history`: `score` is the weight. `seen`: ids of items that
    lists leave out. `sessions`: those that were merged with the user.
    """

    user: UserRef
    forgotten_at: float | None = None
    status: str | None = None
    vector: tuple[float, ...] | None = None
    history: tuple[Ranked, ...]
    seen: tuple[str, ...]
    arm: str | None = None
    sessions: tuple[str, ...]
    n_events: int
    events: tuple[KeptEvent, ...]
    n_impressions: int
    impressions: tuple[GivenList, ...]
