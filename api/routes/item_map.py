"""The map of the items."""

from functools import partial

from fastapi import APIRouter, Request, Response

from api.access.requires import requires
from api.deadline import alone_in_thread
from api.errors import NoModelError, problem_responses
from api.messages.item_replies import MapReply
from api.messages.openapi import operation_with_query
from api.messages.queries import MapQuery, engine_of, query_of
from api.messages.reply import response_of
from recsys.api_keys.records import Scope
from recsys.errors import InvalidRequestError

router = APIRouter(
    tags=["items"],
    dependencies=[requires(Scope.READ)],
    responses=problem_responses(InvalidRequestError, NoModelError),
)


@router.get("/v1/map", response_model=MapReply, openapi_extra=operation_with_query(MapQuery))
async def get_map(request: Request) -> Response:
    """Two coordinates per item: items near each other are chosen by the same users. Most users first, in pages."""
    engine, query = engine_of(request), query_of(request, MapQuery)
    ask = partial(engine.item_map, limit=query.limit, offset=query.offset, fields=query.field_names)
    page = await alone_in_thread(ask)
    return await response_of(partial(MapReply.of, page, offset=query.offset), n_items=len(page.items))
