"""Pages: several rows in one request."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from api.access.caller import count_as
from api.access.requires import requires
from api.errors import BODY_ERRORS, NoModelError, UnknownScenarioError, problem_responses
from api.events.store_events import with_fresh
from api.messages.openapi import operation_with_body
from api.messages.page_bodies import PageBody
from api.messages.page_replies import PageReply
from api.messages.points import points_of_rows
from api.messages.queries import NoQuery, RequestStore, engine_for
from api.messages.reading import body_of, check_points
from api.messages.reply import response_of
from recsys.api_keys.records import Scope
from recsys.engine.pages import Page

_ROWS = [{"kind": "for_you", "k": 3}, {"kind": "because", "k": 2}, {"kind": "popular", "k": 3}]

router = APIRouter(tags=["recommendations"], dependencies=[requires(Scope.READ)])


@router.post(
    "/v1/pages",
    response_model=PageReply,
    responses=problem_responses(UnknownScenarioError, *BODY_ERRORS, NoModelError),
    openapi_extra=operation_with_body(PageBody, {"user_id": "ada", "rows": _ROWS}),
)
async def get_page(
    body: Annotated[PageBody, Depends(body_of(PageBody))],
    query: Annotated[NoQuery, Query()],
    request: Request,
    store: RequestStore,
) -> Response:
    """Several rows for one user, each with a heading; no item stands on the page twice."""
    engine = engine_for(request, body.user_id, body.session_id)
    scenario = None if body.scenario is None else store.scenarios.find(body.scenario)
    question, n_fresh = with_fresh(body.question(), body.session_id, store.events if body.fresh else None, engine)
    keep_empty = body.keep_empty if body.keep_empty is not None else scenario is not None and scenario.keep_empty
    rows = tuple(body.rows) if scenario is None else scenario.rows
    if scenario is not None:
        check_points(request, points_of_rows(body, rows, n_items=engine.n_items))
    count_as(request.scope, len(rows))
    wants_recent = store.events is not None and any(row.kind == "popular_lately" for row in rows)
    lately = await store.events.people_lately(engine) if store.events is not None and wants_recent else {}
    page = Page(question=question, rows=rows, item_id=body.item_id, keep_empty=keep_empty, lately=lately)
    answer = await engine.page(page, session_id=body.session_id)
    make = partial(PageReply.of, answer, model_version=engine.version, fresh_events=n_fresh)
    return await response_of(make, n_items=sum(len(row.answer.items) for row in answer.rows))
