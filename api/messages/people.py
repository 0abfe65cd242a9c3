"""What is held of a person, and what became of it."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from api.messages.event_replies import KeptEventReply
from api.messages.queries import NoQuery, whole_from
from api.messages.reply import Reply
from api.messages.user_replies import UserRef
from api.stores.people import Forgot
from recsys.engine import Ranked, UserStatus
from recsys.engine.engine import StoredData
from recsys.event_store.forgetting import Held
from recsys.experiments.assignment import ArmName

MAX_DATA = 10_000
"""The most events and the most lists of one reply."""


class DataQuery(NoQuery):
    """The query of what is held of a user."""

    limit: Annotated[
        int,
        Field(ge=1, le=MAX_DATA, description="the most events, and the most given lists, that are wanted"),
        whole_from(1, MAX_DATA),
    ] = 1_000


class ForgottenUser(BaseModel):
    """A user who is forgotten: by every answer from now on, and by what is listed here."""

    model_config = ConfigDict(frozen=True)

    user_id: str
    forgotten_at: float = Field(description="time of the tombstone, seconds since 1970")
    events: int | None = Field(None, description="events that were deleted; left out if the store keeps none")
    impressions: int | None = Field(None, description="given lists that were deleted; left out without events")
    sessions: int | None = Field(None, description="sessions of the user, forgotten too; left out without events")
    pending_versions: int = Field(
        description="versions on disk that still hold the user, until the next night or `recsys forget --pending`"
        " rewrites them; nothing shows what they hold"
    )

    @classmethod
    def of(cls, user_id: str, forgot: Forgot) -> Self:
        """The reply that carries `forgot`."""
        removed = forgot.removed
        return cls(
            user_id=user_id,
            forgotten_at=forgot.at,
            events=None if removed is None else removed.events,
            impressions=None if removed is None else removed.impressions,
            sessions=None if removed is None else len(removed.sessions),
            pending_versions=forgot.pending_versions,
        )


class GivenList(BaseModel):
    """A list that was given to the user."""

    model_config = ConfigDict(frozen=True)

    recommendation_id: str
    given_at: float = Field(description="seconds since 1970")
    session_id: str | None = Field(None, description="left out if unknown")
    version: str
    arm: str | None = Field(None, description="left out outside of an experiment")
    kind: str
    status: str | None = Field(None, description="left out if the list was not for a user")
    items: tuple[str, ...] = Field(description="item ids, the first place first")


class UserData(Reply):
    """All that the version that serves and the event store hold of a user."""

    user: UserRef
    forgotten_at: float | None = Field(None, description="time of the last tombstone; left out if there is none")
    status: UserStatus | None = Field(None, description="as in lists; left out if the version holds nothing")
    vector: tuple[float, ...] | None = Field(None, description="the trained vector; left out without one")
    history: tuple[Ranked, ...] = Field(description="the stored items; `score` is the weight")
    seen: tuple[str, ...] = Field(description="ids of the items that lists leave out")
    arm: ArmName | None = Field(None, description="of a running experiment; it follows from the id")
    sessions: tuple[str, ...] = Field(description="sessions that were merged with the user")
    n_events: int = Field(description="all kept events")
    events: tuple[KeptEventReply, ...] = Field(description="the latest of them")
    n_impressions: int = Field(description="all given lists that are kept")
    impressions: tuple[GivenList, ...] = Field(description="the latest of them")

    @classmethod
    def of(
        cls,
        user_id: str,
        stored: StoredData | None,
        held: Held | None,
        *,
        model_version: str,
        arm: ArmName | None,
        forgotten_at: float | None,
    ) -> Self:
        """The reply; `stored`: by the version, `held`: by the event store."""
        return cls(
            model_version=model_version,
            user=UserRef(id=user_id),
            forgotten_at=forgotten_at,
            arm=arm,
            **({"history": (), "seen": ()} if stored is None else vars(stored)),
            **(
                {"sessions": (), "n_events": 0, "events": (), "n_impressions": 0, "impressions": ()}
                if held is None
                else _of_store(held)
            ),
        )


def _of_store(held: Held) -> Mapping[str, Any]:
    return {
        "sessions": held.sessions,
        "n_events": held.n_events,
        "events": tuple(KeptEventReply.model_validate(event._asdict()) for event in held.events),
        "n_impressions": held.n_impressions,
        "impressions": tuple(GivenList.model_validate(each) for each in held.impressions),
    }
