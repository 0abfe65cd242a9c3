"""Lists for users."""

from functools import partial

from fastapi import APIRouter, Request, Response

from api.access.requires import requires
from api.errors import NoModelError, problem_responses
from api.events.store_events import with_fresh
from api.messages.openapi import operation_with_id
from api.messages.queries import (
    RecommendationQuery,
    SimilarUsersQuery,
    engine_for,
    engine_of,
    path_id,
    query_of,
    store_of,
)
from api.messages.reply import json_response, response_of
from api.messages.user_replies import Recommendations, SimilarUsers
from api.middleware import context_of
from recsys.api_keys.records import Scope
from recsys.engine import Question
from recsys.errors import InvalidRequestError, NoUserVectorsError, UnknownUserError

router = APIRouter(tags=["users"], dependencies=[requires(Scope.READ)])


@router.get(
    "/v1/users/{user_id}/recommendations",
    response_model=Recommendations,
    responses=problem_responses(InvalidRequestError, NoModelError),
    openapi_extra=operation_with_id("user_id", RecommendationQuery),
)
async def get_recommendations(request: Request) -> Response:
    """The items this user is most likely to want next, best first.

    An unknown user is not an error: the reply lists the most popular items and is labelled `fallback`.
    """
    user_id, query = path_id(request, "user_id"), query_of(request, RecommendationQuery)
    engine = engine_for(request, user_id)
    question = Question(
        user_id=user_id,
        k=query.k,
        exclude_seen=query.exclude_seen,
        new_share=query.new_share,
        filter=query.filter,
        fields=query.field_names,
    )
    question, n_fresh = with_fresh(
        question, query.session_id, store_of(request).events if query.fresh else None, engine
    )
    answer = await engine.ask(question, session_id=query.session_id, is_alone=context_of(request.scope).is_alone)
    return await response_of(partial(Recommendations.of, answer, fresh_events=n_fresh), n_items=len(answer.items))


@router.get(
    "/v1/users/{user_id}/similar",
    response_model=SimilarUsers,
    responses=problem_responses(UnknownUserError, NoUserVectorsError, InvalidRequestError, NoModelError),
    openapi_extra=operation_with_id("user_id", SimilarUsersQuery),
)
async def get_similar_users(request: Request) -> Response:
    """The users whose vectors have the largest cosine with this user's, nearest first; never the user."""
    engine, user_id = engine_of(request), path_id(request, "user_id")
    query = query_of(request, SimilarUsersQuery)
    return json_response(SimilarUsers.of(await engine.similar_users(user_id, k=query.k)))
