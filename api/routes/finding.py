"""Items and users as somebody types their names, and what is stored of a user."""

from fastapi import APIRouter, Request, Response

from api.access.requires import requires
from api.errors import NoModelError, problem_responses
from api.messages.finding import FindQuery, HistoryQuery, ItemsFoundByName, UserHistory, UsersFound
from api.messages.openapi import operation_with_id, operation_with_query
from api.messages.queries import engine_of, path_id, query_of
from api.messages.reply import json_response
from recsys.api_keys.records import Scope
from recsys.errors import InvalidRequestError, UnknownUserError

router = APIRouter(responses=problem_responses(InvalidRequestError, NoModelError))


@router.get(
    "/v1/items:find",
    tags=["items"],
    response_model=ItemsFoundByName,
    dependencies=[requires(Scope.READ)],
    openapi_extra=operation_with_query(FindQuery),
)
async def find_items(request: Request) -> Response:
    """Items by title or id, as somebody types: words may be cut short or misspelt. Best first."""
    engine, query = engine_of(request), query_of(request, FindQuery)
    return json_response(ItemsFoundByName.of(await engine.find_items(query.text, limit=query.limit)))


@router.get(
    "/v1/users:find",
    tags=["users"],
    response_model=UsersFound,
    dependencies=[requires(Scope.ADMIN, or_no_operator=True)],
    openapi_extra=operation_with_query(FindQuery),
)
async def find_users(request: Request) -> Response:
    """Users whose id begins with a text. It shows ids of people: if the store has an admin key, it is needed."""
    engine, query = engine_of(request), query_of(request, FindQuery)
    return json_response(UsersFound.of(await engine.find_users(query.text, limit=query.limit)))


@router.get(
    "/v1/users/{user_id}/history",
    tags=["users"],
    response_model=UserHistory,
    dependencies=[requires(Scope.READ)],
    responses=problem_responses(UnknownUserError),
    openapi_extra=operation_with_id("user_id", HistoryQuery),
)
async def get_history(request: Request) -> Response:
    """What the version stores of a user: the items that lists come from, those that count most first."""
    engine, user_id = engine_of(request), path_id(request, "user_id")
    query = query_of(request, HistoryQuery)
    items = engine.history(user_id, limit=query.limit)
    return json_response(UserHistory.of(user_id, items, model_version=engine.version))
