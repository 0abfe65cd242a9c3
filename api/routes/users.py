"""Lists for users."""

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from api.deps import K, NoQuery, RecommendationQuery, engine_of
from api.errors import NoModelError, problem_responses
from api.loop import answer_soon
from api.queries import parameters, path_id, query_of
from api.schemas import Recommendations, SimilarUsers, json_of
from recsys.engine import Question
from recsys.errors import InvalidRequestError, UnknownUserError

router = APIRouter(tags=["users"])


class NeighboursQuery(NoQuery):
    """The query of users alike."""

    k: K = 10


@router.get(
    "/v1/users/{user_id}/recommendations",
    response_model=Recommendations,
    responses=problem_responses(InvalidRequestError, NoModelError),
    openapi_extra=parameters("user_id", RecommendationQuery),
)
async def recommend(request: Request) -> Response:
    """The items this user is most likely to want next, best first.

    An unknown user is no error: the most popular items come back, labelled `fallback`.
    """
    engine, user_id = engine_of(request), path_id(request, "user_id")
    query = query_of(request, RecommendationQuery)
    question = Question(user_id=user_id, k=query.k, exclude_seen=query.exclude_seen, filter=query.filter)
    return json_of(Recommendations.of(await answer_soon(engine, question)))


@router.get(
    "/v1/users/{user_id}/similar",
    response_model=SimilarUsers,
    responses=problem_responses(UnknownUserError, InvalidRequestError, NoModelError),
    openapi_extra=parameters("user_id", NeighboursQuery),
)
async def similar(request: Request) -> Response:
    """The users whose vectors point most nearly the same way, nearest first; never the user."""
    engine, user_id = engine_of(request), path_id(request, "user_id")
    query = query_of(request, NeighboursQuery)
    # Every user is looked at, which may take a while where there are many.
    return json_of(SimilarUsers.of(await run_in_threadpool(engine.similar_users, user_id, k=query.k)))
