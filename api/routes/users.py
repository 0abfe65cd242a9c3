"""Lists for users."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool

from api.deps import K, NoQuery, RecommendationQuery, RequestEngine, UserId
from api.errors import NoModelError, problem_responses
from api.loop import answer_filtered
from api.schemas import Recommendations, SimilarUsers
from recsys.engine import Question
from recsys.errors import InvalidRequestError, UnknownUserError

router = APIRouter(tags=["users"])


class NeighboursQuery(NoQuery):
    """The query of users alike."""

    k: K = 10


@router.get(
    "/v1/users/{user_id}/recommendations",
    response_model_exclude_none=True,
    responses=problem_responses(InvalidRequestError, NoModelError),
)
async def recommend(
    user_id: UserId, query: Annotated[RecommendationQuery, Query()], engine: RequestEngine
) -> Recommendations:
    """The items this user is most likely to want next, best first.

    An unknown user is no error: the most popular items come back, labelled `fallback`.
    """
    question = Question(user_id=user_id, k=query.k, exclude_seen=query.exclude_seen, filter=query.filter)
    return Recommendations.of(user_id, await answer_filtered(engine, query.filter, lambda: engine.ask(question)))


@router.get(
    "/v1/users/{user_id}/similar", responses=problem_responses(UnknownUserError, InvalidRequestError, NoModelError)
)
async def similar(user_id: UserId, query: Annotated[NeighboursQuery, Query()], engine: RequestEngine) -> SimilarUsers:
    """The users whose vectors point most nearly the same way, nearest first; never the user."""
    # Every user is looked at, which may take a while where there are many.
    return SimilarUsers.of(user_id, await run_in_threadpool(engine.similar_users, user_id, k=query.k))
