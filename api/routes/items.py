"""Items, and lists for items."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from api.access.requires import requires
from api.deadline import alone_in_thread
from api.errors import BODY_ERRORS, NoModelError, problem_responses
from api.messages.item_bodies import ItemsBody, SearchBody, SimilarBody
from api.messages.item_replies import ItemReply, ItemsFound, ItemsReply, ItemsSimilarToSeveral, SimilarItems
from api.messages.openapi import operation_with_body, operation_with_id
from api.messages.queries import NoQuery, RequestEngine, SimilarQuery, engine_of, path_id, query_of
from api.messages.reading import body_of
from api.messages.reply import json_response, response_of
from recsys.api_keys.records import Scope
from recsys.errors import InvalidRequestError, NoContentError, NoTextSearchError, UnknownItemError

router = APIRouter(
    tags=["items"],
    dependencies=[requires(Scope.READ)],
    responses=problem_responses(UnknownItemError, InvalidRequestError, NoModelError),
)


@router.get(
    "/v1/items/{item_id}/similar",
    response_model=SimilarItems,
    responses=problem_responses(NoContentError),
    openapi_extra=operation_with_id("item_id", SimilarQuery),
)
async def get_similar_items(request: Request) -> Response:
    """The item's nearest neighbours by cosine of their vectors, best first; never the item itself."""
    engine, item_id = engine_of(request), path_id(request, "item_id")
    query = query_of(request, SimilarQuery)
    answer = await engine.similar(item_id, k=query.k, filter=query.filter, fields=query.field_names, by=query.by)
    return json_response(SimilarItems.of(item_id, answer))


@router.get(
    "/v1/items/{item_id}",
    response_model=ItemReply,
    openapi_extra=operation_with_id("item_id", NoQuery),
)
async def get_item(request: Request) -> Response:
    """What is known of one item: its title, its attributes, its number of users."""
    engine, item_id = engine_of(request), path_id(request, "item_id")
    query_of(request, NoQuery)
    return json_response(ItemReply.of(engine.item(item_id), model_version=engine.version))


@router.post(
    "/v1/items:similar",
    response_model=ItemsSimilarToSeveral,
    responses=problem_responses(UnknownItemError, NoContentError, *BODY_ERRORS, NoModelError),
    openapi_extra=operation_with_body(SimilarBody, {"positive": ["dune", "ubik"], "negative": ["solaris"], "k": 3}),
)
async def find_similar_items(
    body: Annotated[SimilarBody, Depends(body_of(SimilarBody))],
    query: Annotated[NoQuery, Query()],
    engine: RequestEngine,
) -> Response:
    """Items similar to `positive` and dissimilar to `negative`, by cosine with the sum of their directions.

    None of these is listed.
    """
    answer = await engine.similar_to(
        body.positive, body.negative, k=body.k, filter=body.filter, fields=body.fields, by=body.by
    )
    return json_response(ItemsSimilarToSeveral.of(body.positive, body.negative, answer))


@router.post(
    "/v1/items:search",
    response_model=ItemsFound,
    responses=problem_responses(NoContentError, NoTextSearchError, *BODY_ERRORS, NoModelError),
    openapi_extra=operation_with_body(SearchBody, {"text": "dune", "k": 3}),
)
async def search_items(
    body: Annotated[SearchBody, Depends(body_of(SearchBody))],
    query: Annotated[NoQuery, Query()],
    engine: RequestEngine,
) -> Response:
    """Items whose content is nearest to the words of a text, by cosine, best first."""
    return json_response(
        ItemsFound.of(await engine.search(body.text, k=body.k, filter=body.filter, fields=body.fields))
    )


@router.post(
    "/v1/items:batch",
    response_model=ItemsReply,
    responses=problem_responses(*BODY_ERRORS, NoModelError),
    openapi_extra=operation_with_body(ItemsBody, {"item_ids": ["dune", "ubik"]}),
)
async def get_items(
    body: Annotated[ItemsBody, Depends(body_of(ItemsBody))], query: Annotated[NoQuery, Query()], engine: RequestEngine
) -> Response:
    """What is known of several items, in the order asked. Items that this version does not have are named apart."""
    views, unknown = await alone_in_thread(partial(engine.items, body.item_ids))
    make = partial(ItemsReply.of, views, unknown, model_version=engine.version)
    return await response_of(make, n_items=len(views))
