"""Items, and lists for items."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from api.bodies import body_of
from api.deps import ItemId, ListQuery, NoQuery, RequestEngine, engine_of
from api.errors import BODY_ERRORS, NoModelError, problem_responses
from api.loop import answer_filtered
from api.queries import parameters, path_id, query_of
from api.requests import SimilarBody, request_body
from api.schemas import ItemReply, ItemsLike, SimilarItems, json_of
from recsys.errors import InvalidRequestError, UnknownItemError

router = APIRouter(tags=["items"], responses=problem_responses(UnknownItemError, InvalidRequestError, NoModelError))


@router.get(
    "/v1/items/{item_id}/similar",
    response_model=SimilarItems,
    openapi_extra=parameters("item_id", ListQuery),
)
async def similar(request: Request) -> Response:
    """The item's neighbours by cosine of their vectors, best first; never the item itself."""
    engine, item_id = engine_of(request), path_id(request, "item_id")
    query = query_of(request, ListQuery)
    answer = await answer_filtered(
        engine, query.filter, lambda: engine.similar(item_id, k=query.k, filter=query.filter)
    )
    return json_of(SimilarItems.of(item_id, answer))


@router.get("/v1/items/{item_id}", response_model_exclude_none=True)
async def item(item_id: ItemId, query: Annotated[NoQuery, Query()], engine: RequestEngine) -> ItemReply:
    """What is known of one item: its title, its attributes, how many users it has."""
    return ItemReply.of(engine.item(item_id), model_version=engine.version)


@router.post(
    "/v1/items:similar",
    response_model_exclude_none=True,
    responses=problem_responses(UnknownItemError, *BODY_ERRORS, NoModelError),
    openapi_extra=request_body(SimilarBody, {"positive": ["dune", "ubik"], "negative": ["solaris"], "k": 3}),
)
async def items_like(
    body: Annotated[SimilarBody, Depends(body_of(SimilarBody))],
    query: Annotated[NoQuery, Query()],
    engine: RequestEngine,
) -> ItemsLike:
    """Items like `positive` and unlike `negative`, by cosine with the sum of their directions; none of them."""
    answer = await answer_filtered(
        engine, body.filter, lambda: engine.similar_to(body.positive, body.negative, k=body.k, filter=body.filter)
    )
    return ItemsLike.of(body.positive, body.negative, answer)
