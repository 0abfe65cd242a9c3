"""People's data: all that is held of a user, and forgetting it."""

import logging

from fastapi import APIRouter, Request, Response

from api.access.requires import requires
from api.errors import NoModelError, StoreRefusedError, problem_responses
from api.messages.openapi import operation_with_id
from api.messages.people import DataQuery, ForgottenUser, UserData
from api.messages.queries import NoQuery, engine_of, path_id, query_of, store_of
from api.messages.reply import json_response
from api.stores.people import arm_now, forget, held
from recsys.api_keys.records import Scope
from recsys.errors import ArtifactError, EventStoreError, InvalidRequestError
from recsys.forgotten import NEVER

NOT_FORGOTTEN = (
    "nothing has changed: the store cannot be written, or another process holds it; the service's log says which"
)

logger = logging.getLogger(__name__)

router = APIRouter(tags=["users"], dependencies=[requires(Scope.ADMIN)])


@router.delete(
    "/v1/users/{user_id}",
    response_model=ForgottenUser,
    responses=problem_responses(StoreRefusedError, InvalidRequestError, EventStoreError),
    openapi_extra=operation_with_id("user_id", NoQuery),
)
async def forget_user(request: Request) -> Response:
    """Forget a user: no answer of any worker knows the user a second later, and the event store keeps nothing.

    Versions on disk are rewritten by the next night, or by `recsys forget --pending`; nothing shows what they hold
    until then. An unknown user is no error, and a second request forgets what came since the first.
    """
    store, user_id = store_of(request), path_id(request, "user_id")
    query_of(request, NoQuery)
    try:
        forgot = await forget(store, user_id)
    except ArtifactError as error:
        logger.warning("forgetting a user: %s", error)
        raise StoreRefusedError(NOT_FORGOTTEN) from error
    return json_response(ForgottenUser.of(user_id, forgot))


@router.get(
    "/v1/users/{user_id}/data",
    response_model=UserData,
    responses=problem_responses(NoModelError, InvalidRequestError, EventStoreError),
    openapi_extra=operation_with_id("user_id", DataQuery),
)
async def get_user_data(request: Request) -> Response:
    """All that the version that serves and the event store hold of a user; of an unknown one, nothing."""
    store, engine, user_id = store_of(request), engine_of(request), path_id(request, "user_id")
    query = query_of(request, DataQuery)
    kept = await held(store, user_id, limit=query.limit)
    at = store.forgotten.now.at(user_id)
    reply = UserData.of(
        user_id,
        engine.stored_data(user_id),
        kept,
        model_version=engine.version,
        arm=arm_now(store, user_id),
        forgotten_at=None if at == NEVER else at,
    )
    return json_response(reply)
