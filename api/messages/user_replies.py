"""Lists for users, and users alike."""

import json
from collections.abc import Sequence
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from api.messages.reply import FreshEvents, ListReply, Reply, Requested, Returned, UnknownItems, list_fields
from recsys.engine import Answer, Candidate, CandidateAnswer, Ranked, RankedUser, UserAnswer, UserStatus
from recsys.engine.stopping import Check, go_on


class User(BaseModel):
    """The user of a list, and where the list comes from."""

    model_config = ConfigDict(frozen=True)

    id: str | None = Field(None, description="left out for a visitor")
    status: UserStatus = Field(
        description="`known`: from this user's history; `folded_in`: from the events in the request, and the user's "
        "stored history if there is one; `fallback`: the most popular items, because nothing is known of this user"
    )


class UserRef(BaseModel):
    """The user that a list belongs to."""

    model_config = ConfigDict(frozen=True)

    id: str


class Recommendations(ListReply):
    """A user's list, best first."""

    user: User
    items: tuple[Ranked, ...]
    requested: Requested
    returned: Returned
    warnings: tuple[str, ...]
    unknown_items: UnknownItems = None
    fresh_events: FreshEvents = None

    @classmethod
    def of(cls, answer: Answer, *, fresh_events: int = 0) -> Self:
        """The reply that carries `answer`."""
        user = {"id": answer.user_id, "status": answer.user_status}
        return cls.model_validate(
            {"user": user, **list_fields(answer), **({"fresh_events": fresh_events} if fresh_events else {})}
        )


class BatchReply(Reply):
    """One answer per request of a batch, in their order."""

    answers: tuple[Recommendations, ...]

    @staticmethod
    def json_of(
        answers: Sequence[Answer], fresh_events: Sequence[int], *, model_version: str, check: Check = go_on
    ) -> str:
        """The reply that carries `answers`, answer by answer, so that other threads have their turn between them."""
        written: list[str] = []
        for answer, n_fresh in zip(answers, fresh_events, strict=True):
            check()
            written.append(Recommendations.of(answer, fresh_events=n_fresh).model_dump_json(exclude_none=True))
        return f'{{"model_version":{json.dumps(model_version)},"answers":[{",".join(written)}]}}'


class RankedCandidates(ListReply):
    """Candidates in a user's order: scored ones first, then known ones without a score, then unknown ones."""

    user: User
    items: tuple[Candidate, ...]
    returned: int
    warnings: tuple[str, ...]
    unknown_items: UnknownItems = None
    fresh_events: FreshEvents = None

    @classmethod
    def of(cls, answer: CandidateAnswer, *, fresh_events: int = 0) -> Self:
        """The reply that carries `answer`."""
        return cls(
            model_version=answer.model_version,
            recommendation_id=answer.recommendation_id,
            arm=answer.arm,
            user=User(id=answer.user_id, status=answer.user_status),
            items=answer.items,
            returned=len(answer.items),
            warnings=answer.warnings,
            unknown_items=answer.unknown_items or None,
            fresh_events=fresh_events or None,
        )


class SimilarUsers(ListReply):
    """The most similar users, nearest first; never the user."""

    user: UserRef
    users: tuple[RankedUser, ...]
    requested: Requested
    returned: Returned
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, answer: UserAnswer) -> Self:
        """The reply that carries `answer`."""
        return cls(
            model_version=answer.model_version,
            recommendation_id=answer.recommendation_id,
            arm=answer.arm,
            user=UserRef(id=answer.user_id),
            users=answer.users,
            requested=answer.requested,
            returned=len(answer.users),
            warnings=answer.warnings,
        )
