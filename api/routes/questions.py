"""Lists with conditions, asked for in bodies."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.concurrency import run_in_threadpool

from api.bodies import body_of
from api.deps import NoQuery, RequestEngine
from api.errors import BODY_ERRORS, NoModelError, problem_responses
from api.loop import answer_soon
from api.requests import MAX_BATCH_ITEMS, BatchBody, QuestionBody, RankBody, request_body
from api.schemas import Batch, RankedCandidates, Recommendations
from recsys.errors import IncompleteAnswerError, InvalidRequestError, UnknownItemError, UnknownUserError

_STRICT = (UnknownUserError, UnknownItemError, IncompleteAnswerError)
_EVENTS = [{"item_id": "dune", "event": "purchase", "value": 2}, {"item_id": "solaris"}]
_ONE = {"events": _EVENTS, "k": 3, "filter": "price < 20", "explain": True}

router = APIRouter(tags=["questions"])


@router.post(
    "/v1/recommendations",
    response_model_exclude_none=True,
    responses=problem_responses(*_STRICT, *BODY_ERRORS, NoModelError),
    openapi_extra=request_body(QuestionBody, _ONE),
)
async def recommend(
    body: Annotated[QuestionBody, Depends(body_of(QuestionBody))],
    query: Annotated[NoQuery, Query()],
    engine: RequestEngine,
) -> Recommendations:
    """One list: for a known user, for a visitor by what they did, or for both in one; with conditions.

    Events are weighed as the job weighs the log's, and folded in to the vector that training would have given.
    """
    return Recommendations.of(await answer_soon(engine, body.question()))


@router.post(
    "/v1/recommendations:batch",
    response_model_exclude_none=True,
    responses=problem_responses(*_STRICT, *BODY_ERRORS, NoModelError),
    openapi_extra=request_body(BatchBody, {"requests": [{"user_id": "ada", "k": 3}, _ONE]}),
)
async def recommend_many(
    body: Annotated[BatchBody, Depends(body_of(BatchBody))], query: Annotated[NoQuery, Query()], engine: RequestEngine
) -> Batch:
    """Many lists, in the order asked, all of one version; the same lists as one by one. One error refuses all."""
    if sum(request.k for request in body.requests) > MAX_BATCH_ITEMS:
        raise InvalidRequestError(f"body.requests: expected a sum of all k of at most {MAX_BATCH_ITEMS}")
    questions = [request.question() for request in body.requests]
    answers = await run_in_threadpool(engine.ask_many, questions)
    return Batch.of(answers, model_version=engine.version)


@router.post(
    "/v1/rank",
    response_model_exclude_none=True,
    responses=problem_responses(*BODY_ERRORS, NoModelError),
    openapi_extra=request_body(RankBody, {"user_id": "ada", "item_ids": ["ubik", "dune", "solaris"]}),
)
async def rank(
    body: Annotated[RankBody, Depends(body_of(RankBody))], query: Annotated[NoQuery, Query()], engine: RequestEngine
) -> RankedCandidates:
    """The given items in the order of a user's scores; no item is left out, seen ones neither.

    Known items without a learned vector come after the scored ones, unknown items last.
    """
    events = body.events_of_log()
    return RankedCandidates.of(engine.rank(body.item_ids, user_id=body.user_id, events=events))
