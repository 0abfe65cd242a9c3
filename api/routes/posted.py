"""Items that come during the day, for the operator: listed until a version has them."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from api.admin_key import check_key
from api.bodies import PostedBody, body_of
from api.errors import (
    BODY_ERRORS,
    ItemExistsError,
    NoModelError,
    PostedFullError,
    PostedStoreError,
    problem_responses,
    unauthorized_response,
)
from api.openapi import operation_with_body_and_id, operation_with_id
from api.queries import NoQuery, RequestEngine, RequestStore, path_id
from api.replies import ForgottenItem, ItemReply, json_response
from recsys.engine import PostedItem
from recsys.errors import InvalidRequestError, NoContentError, UnknownItemError

_REFUSALS = (ItemExistsError, PostedStoreError, NoModelError)
_EXAMPLE = {"title": "Dune Messiah", "attributes": {"price": 12.5}}


router = APIRouter(tags=["admin"], dependencies=[Depends(check_key)], responses=unauthorized_response())


@router.put(
    "/v1/items/{item_id}",
    response_model=ItemReply,
    responses=problem_responses(PostedFullError, NoContentError, *_REFUSALS, *BODY_ERRORS),
    openapi_extra=operation_with_body_and_id("item_id", PostedBody, _EXAMPLE),
)
async def put_item(
    request: Request,
    body: Annotated[PostedBody, Depends(body_of(PostedBody))],
    query: Annotated[NoQuery, Query()],
    engine: RequestEngine,
    store: RequestStore,
) -> Response:
    """Let an item that the version does not have be listed, by its title and attributes, within a second."""
    item = PostedItem(path_id(request, "item_id"), body.title, body.attributes)
    engine.check_posted(item)
    if engine.has_item(item.item_id):
        raise ItemExistsError
    await asyncio.to_thread(store.posted.put, item, engine)
    return json_response(ItemReply.of(engine.item(item.item_id), model_version=engine.version))


@router.delete(
    "/v1/items/{item_id}",
    response_model=ForgottenItem,
    responses=problem_responses(UnknownItemError, InvalidRequestError, *_REFUSALS),
    openapi_extra=operation_with_id("item_id", NoQuery),
)
async def delete_item(
    request: Request, query: Annotated[NoQuery, Query()], engine: RequestEngine, store: RequestStore
) -> Response:
    """Forget an item that was posted."""
    item_id = path_id(request, "item_id")
    if engine.has_item(item_id):
        raise ItemExistsError
    if not await asyncio.to_thread(store.posted.delete, item_id, engine):
        raise UnknownItemError(item_id)
    return json_response(ForgottenItem(model_version=engine.version, item_id=item_id))
