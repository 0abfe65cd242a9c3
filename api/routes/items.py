"""Items, and lists for items."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.deps import ItemId, ListQuery, NoQuery, RequestEngine
from api.errors import NoModelError, problem_responses
from api.schemas import ItemReply, SimilarItems
from recsys.errors import InvalidRequestError, UnknownItemError

router = APIRouter(tags=["items"], responses=problem_responses(UnknownItemError, InvalidRequestError, NoModelError))


@router.get("/v1/items/{item_id}/similar", response_model_exclude_none=True)
async def similar(item_id: ItemId, query: Annotated[ListQuery, Query()], engine: RequestEngine) -> SimilarItems:
    """The item's neighbours by cosine of their vectors, best first; never the item itself."""
    return SimilarItems.of(item_id, engine.similar(item_id, k=query.k, filter=query.filter))


@router.get("/v1/items/{item_id}", response_model_exclude_none=True)
async def item(item_id: ItemId, query: Annotated[NoQuery, Query()], engine: RequestEngine) -> ItemReply:
    """What is known of one item: its title, its attributes, how many users it has."""
    return ItemReply.of(engine.item(item_id), model_version=engine.version)
