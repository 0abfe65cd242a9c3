"""What is found as somebody types, and what is stored of a user."""

from typing import Annotated, Self

from pydantic import Field

from api.messages.queries import NoQuery, whole_from
from api.messages.reply import Reply
from api.messages.user_replies import UserRef
from recsys.engine import Ranked
from recsys.engine.finding import MAX_FIND_TEXT, MAX_FOUND, FoundItem, FoundItems, FoundUser, FoundUsers
from recsys.engine.question import MAX_K


class FindQuery(NoQuery):
    """The query of items or users by name."""

    text: str = Field(min_length=1, max_length=MAX_FIND_TEXT, description="what somebody has typed so far")
    limit: Annotated[
        int,
        Field(ge=1, le=MAX_FOUND, description="the most items or users that are wanted"),
        whole_from(1, MAX_FOUND),
    ] = 10


class HistoryQuery(NoQuery):
    """The query of a stored history."""

    limit: Annotated[
        int, Field(ge=1, le=MAX_K, description="the most items that are wanted"), whole_from(1, MAX_K)
    ] = 100


class ItemsFoundByName(Reply):
    """Items found by title or id, best first."""

    items: tuple[FoundItem, ...]

    @classmethod
    def of(cls, found: FoundItems) -> Self:
        """The reply that carries `found`."""
        return cls(**vars(found))


class UsersFound(Reply):
    """Users found by the beginning of their id."""

    users: tuple[FoundUser, ...]

    @classmethod
    def of(cls, found: FoundUsers) -> Self:
        """The reply that carries `found`."""
        return cls(**vars(found))


class UserHistory(Reply):
    """What the version stores of a user, the largest weight first; `score` is the weight."""

    user: UserRef
    items: tuple[Ranked, ...]

    @classmethod
    def of(cls, user_id: str, items: tuple[Ranked, ...], *, model_version: str) -> Self:
        """The reply that carries `items`."""
        return cls(model_version=model_version, user=UserRef(id=user_id), items=items)
