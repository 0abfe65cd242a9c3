"""Items that come or change during the day, for the operator: until the next night's catalogue has it."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from api.access.caller import count_as
from api.access.requires import requires
from api.engines.served_engine import ServedEngine
from api.errors import (
    BODY_ERRORS,
    ItemExistsError,
    NoModelError,
    PostedStoreError,
    problem_responses,
)
from api.messages.item_bodies import PostedBody, UpdateBody, UpdatesBody
from api.messages.item_replies import ForgottenItem, ItemReply, ItemsUpdated, RefusedUpdate
from api.messages.openapi import operation_with_body, operation_with_body_and_id, operation_with_id
from api.messages.queries import NoQuery, RequestEngine, RequestStore, path_id
from api.messages.reading import body_of
from api.messages.reply import json_response
from api.stores.served_store import ServedStore
from recsys.api_keys.records import Scope
from recsys.engine import ItemUpdate, PostedItem
from recsys.engine.ids import check_kept_id
from recsys.errors import InvalidRequestError, NoContentError, PostedFullError, UnknownItemError

_REFUSALS = (ItemExistsError, PostedStoreError, NoModelError)
_CHANGE = {"attributes": {"price": 9.5}}
_EXAMPLE = {"title": "Dune Messiah", "attributes": {"price": 12.5}}


router = APIRouter(tags=["admin"], dependencies=[requires(Scope.ADMIN)])


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
    await asyncio.to_thread(store.items.post, item, engine)
    return json_response(ItemReply.of(engine.item(item.item_id), model_version=engine.version))


@router.patch(
    "/v1/items/{item_id}",
    response_model=ItemReply,
    responses=problem_responses(UnknownItemError, PostedStoreError, NoModelError, *BODY_ERRORS),
    openapi_extra=operation_with_body_and_id("item_id", UpdateBody, _CHANGE),
)
async def update_item(
    request: Request,
    body: Annotated[UpdateBody, Depends(body_of(UpdateBody))],
    query: Annotated[NoQuery, Query()],
    engine: RequestEngine,
    store: RequestStore,
) -> Response:
    """Change an item's title or attributes, such as its stock and price, in every worker within a second."""
    update = ItemUpdate(path_id(request, "item_id"), body.values())
    engine.check_update(update)
    if not _is_there(update.item_id, engine, store):
        raise UnknownItemError(update.item_id)
    await asyncio.to_thread(store.items.update, {update.item_id: update.values}, engine)
    return json_response(ItemReply.of(engine.item(update.item_id), model_version=engine.version))


@router.post(
    "/v1/items:update",
    response_model=ItemsUpdated,
    responses=problem_responses(PostedStoreError, NoModelError, *BODY_ERRORS),
    openapi_extra=operation_with_body(UpdatesBody, {"items": [{"item_id": "dune", **_CHANGE}]}),
)
async def update_items(
    request: Request,
    body: Annotated[UpdatesBody, Depends(body_of(UpdatesBody))],
    query: Annotated[NoQuery, Query()],
    engine: RequestEngine,
    store: RequestStore,
) -> Response:
    """Change up to 10,000 items, all at once. Unknown items are refused by their place in the request."""
    count_as(request.scope, len(body.items))
    return json_response(await asyncio.to_thread(_update_items, body, engine, store))


def _update_items(body: UpdatesBody, engine: ServedEngine, store: ServedStore) -> ItemsUpdated:
    values, refused = dict[str, dict[str, object]](), list[RefusedUpdate]()
    for index, item in enumerate(body.items):
        try:
            engine.check_update(ItemUpdate(item.item_id, item.values()))
        except InvalidRequestError as error:
            raise InvalidRequestError(f"body.items.{index}: {error}") from error
        if _is_there(item.item_id, engine, store):
            values.setdefault(item.item_id, {}).update(item.values())
        else:
            refused.append(RefusedUpdate(index=index))
    if values:
        store.items.update(values, engine)
    n_updated = len(body.items) - len(refused)
    return ItemsUpdated(model_version=engine.version, updated=n_updated, refused=tuple(refused))


def _is_there(item_id: str, engine: ServedEngine, store: ServedStore) -> bool:
    return engine.has_item(item_id) or store.items.is_posted(item_id)


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
    check_kept_id(item_id, "item_id")
    if engine.has_item(item_id):
        raise ItemExistsError
    if not await asyncio.to_thread(store.items.remove, item_id, engine):
        raise UnknownItemError(item_id)
    return json_response(ForgottenItem(model_version=engine.version, item_id=item_id))
