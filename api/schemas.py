"""What the service answers, as OpenAPI documents it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from recsys.engine import (
    Answer,
    Candidate,
    CandidateAnswer,
    ItemView,
    Ranked,
    RankedUser,
    UserAnswer,
    UserStatus,
)

PUBLIC_CONFIG = ("prepare", "evaluate", "model", "index")
"""The sections of the configuration that are shown; the others say where things are on another machine."""


def json_of(reply: BaseModel) -> Response:
    """The response that carries `reply`, without what is None: already checked, so not checked again."""
    return Response(reply.model_dump_json(exclude_none=True), media_type="application/json")


class Reply(BaseModel):
    """What all replies have in common: never NaN, and the version that answered."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    model_version: str = Field(description="the version that answered, as in `X-Model-Version`")


class User(BaseModel):
    """Who the list is for, and how it came about."""

    model_config = ConfigDict(frozen=True)

    id: str | None = Field(None, description="left out for a visitor")
    status: UserStatus = Field(
        description="`known`: from this user's history; `folded_in`: from the events in the request, and what is "
        "stored of the user; "
        "`fallback`: the most popular items, because nothing is known of this user"
    )


Requested = Annotated[int, Field(description="the `k` asked for")]
Returned = Annotated[int, Field(description="how long the list is; where shorter than `k`, a warning says why")]
UnknownItems = Annotated[
    tuple[str, ...] | None, Field(description="ids of the request that are none of this version; left out if none")
]


class Recommendations(Reply):
    """A user's list, best first."""

    user: User
    items: tuple[Ranked, ...]
    requested: Requested
    returned: Returned
    warnings: tuple[str, ...]
    unknown_items: UnknownItems = None

    @classmethod
    def of(cls, answer: Answer) -> Self:
        """The reply that carries `answer`."""
        user = {"id": answer.user_id, "status": answer.user_status}
        return cls.model_validate({"user": user, **_list_fields(answer)})


class Batch(Reply):
    """An answer to each request of a batch, in the order asked."""

    answers: tuple[Recommendations, ...]

    @classmethod
    def of(cls, answers: Sequence[Answer], *, model_version: str) -> Self:
        """The reply that carries `answers`."""
        return cls(model_version=model_version, answers=tuple(map(Recommendations.of, answers)))


class RankedCandidates(Reply):
    """Candidates in a user's order: scored ones first, then known ones without a score, then unknown ones."""

    user: User
    items: tuple[Candidate, ...]
    returned: int
    warnings: tuple[str, ...]
    unknown_items: UnknownItems = None

    @classmethod
    def of(cls, answer: CandidateAnswer) -> Self:
        """The reply that carries `answer`."""
        return cls(
            model_version=answer.model_version,
            user=User(id=answer.user_id, status=answer.user_status),
            items=answer.items,
            returned=len(answer.items),
            warnings=answer.warnings,
            unknown_items=answer.unknown_items or None,
        )


class Ref(BaseModel):
    """What a list belongs to."""

    model_config = ConfigDict(frozen=True)

    id: str


class SimilarUsers(Reply):
    """Users alike, nearest first; never the user."""

    user: Ref
    users: tuple[RankedUser, ...]
    requested: Requested
    returned: Returned
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, answer: UserAnswer) -> Self:
        """The reply that carries `answer`."""
        return cls(
            model_version=answer.model_version,
            user=Ref(id=answer.user_id),
            users=answer.users,
            requested=answer.requested,
            returned=len(answer.users),
            warnings=answer.warnings,
        )


class ItemsLike(Reply):
    """Items like some and unlike others, best first; none of them."""

    positive: tuple[str, ...]
    negative: tuple[str, ...]
    items: tuple[Ranked, ...]
    requested: Requested
    returned: Returned
    warnings: tuple[str, ...]
    unknown_items: UnknownItems = None

    @classmethod
    def of(cls, positive: Sequence[str], negative: Sequence[str], answer: Answer) -> Self:
        """The reply that carries `answer`."""
        return cls.model_validate({"positive": tuple(positive), "negative": tuple(negative), **_list_fields(answer)})


class SimilarItems(Reply):
    """An item's neighbours, best first; never the item itself."""

    item: Ref
    items: tuple[Ranked, ...]
    requested: Requested
    returned: Returned
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, item_id: str, answer: Answer) -> Self:
        """The reply that carries `answer`."""
        return cls.model_validate({"item": {"id": item_id}, **_list_fields(answer)})


class ItemReply(Reply):
    """What is known of one item."""

    item_id: str
    title: str | None = Field(None, description="left out where unknown")
    attributes: Mapping[str, Any]
    n_users: int = Field(description="how many users it has in the data the model was trained on")
    has_vector: bool = Field(
        description="whether it has a learned vector; without one it is never recommended and has no similar items"
    )

    @classmethod
    def of(cls, view: ItemView, *, model_version: str) -> Self:
        """The reply that carries `view`."""
        return cls(
            model_version=model_version,
            item_id=view.item_id,
            title=view.title,
            attributes=view.attributes,
            n_users=view.n_users,
            has_vector=view.has_vector,
        )


class ModelReply(Reply):
    """The version that serves. Numbers that could not be measured are null."""

    created_at: str = Field(description="when the version was sealed, ISO 8601, UTC")
    age_seconds: float = Field(description="time since then")
    config: Mapping[str, Any] = Field(description="the settings it was prepared, evaluated and trained with")
    metrics: Mapping[str, Any] = Field(description="as evaluated before it was published")
    index: Mapping[str, Any] = Field(description="how items are searched, and how exactly")
    counts: Mapping[str, Any] = Field(description="users, items and entries it was trained on")
    verdict: str = Field(description="what the gates said before it was published")

    @classmethod
    def of(cls, description: Mapping[str, Any]) -> Self:
        """The reply that carries what `Engine.describe` says, without the configuration's paths."""
        age = datetime.now(UTC) - datetime.fromisoformat(description["created_at"])
        config = {
            name: _without_paths(section) for name, section in description["config"].items() if name in PUBLIC_CONFIG
        }
        return cls(
            model_version=description["version"],
            created_at=description["created_at"],
            age_seconds=age.total_seconds(),
            config=config,
            metrics=description["metrics"],
            index=description["index"],
            counts=description["counts"],
            verdict=description["verdict"],
        )


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Ready(Reply):
    """A model is loaded and answers."""

    status: Literal["ready"] = "ready"


def _list_fields(answer: Answer) -> dict[str, Any]:
    return {
        "model_version": answer.model_version,
        "items": answer.items,
        "requested": answer.requested,
        "returned": len(answer.items),
        "warnings": answer.warnings,
        **({"unknown_items": answer.unknown_items} if answer.unknown_items else {}),
    }


def _without_paths(section: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in section.items() if not name.endswith(("path", "paths"))}
