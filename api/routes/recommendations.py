"""Lists with conditions, asked for in bodies."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from api.access.caller import count_as
from api.access.requires import requires
from api.deadline import in_thread, turns
from api.engines.served_engine import ServedEngine
from api.errors import BODY_ERRORS, NoModelError, problem_responses
from api.events.store_events import with_fresh
from api.messages.openapi import operation_with_body
from api.messages.queries import NoQuery, RequestEngine, RequestStore, engine_for
from api.messages.question_bodies import MAX_BATCH_ITEMS, BatchBody, QuestionBody, RankBody
from api.messages.reading import body_of
from api.messages.reply import response_of
from api.messages.user_replies import BatchReply, RankedCandidates, Recommendations
from api.middleware import context_of
from api.stores.served_store import ServedStore
from recsys.api_keys.records import Scope
from recsys.engine import Answer, Question
from recsys.errors import IncompleteAnswerError, InvalidRequestError, UnknownItemError, UnknownUserError

_STRICT = (UnknownUserError, UnknownItemError, IncompleteAnswerError)
_EVENTS = [{"item_id": "dune", "event": "purchase", "value": 2}, {"item_id": "solaris"}]
_ONE = {"events": _EVENTS, "k": 3, "filter": "price < 20", "explain": True}

router = APIRouter(tags=["recommendations"], dependencies=[requires(Scope.READ)])


@router.post(
    "/v1/recommendations",
    response_model=Recommendations,
    responses=problem_responses(*_STRICT, *BODY_ERRORS, NoModelError),
    openapi_extra=operation_with_body(QuestionBody, _ONE),
)
async def recommend(
    body: Annotated[QuestionBody, Depends(body_of(QuestionBody))],
    query: Annotated[NoQuery, Query()],
    request: Request,
    store: RequestStore,
) -> Response:
    """One list, with conditions: for a known user, for a visitor described by events, or for both in one.

    Events are weighed as the job weighs the log's, and folded in to the vector that training would have given.
    """
    engine = engine_for(request, body.user_id, body.session_id, is_strict=body.strict)
    question, n_fresh = _question(body, store, engine)
    answer = await engine.ask(question, session_id=body.session_id, is_alone=context_of(request.scope).is_alone)
    return await response_of(partial(Recommendations.of, answer, fresh_events=n_fresh), n_items=len(answer.items))


@router.post(
    "/v1/recommendations:batch",
    response_model=BatchReply,
    responses=problem_responses(*_STRICT, *BODY_ERRORS, NoModelError),
    openapi_extra=operation_with_body(BatchBody, {"requests": [{"user_id": "ada", "k": 3}, _ONE]}),
)
async def recommend_batch(
    body: Annotated[BatchBody, Depends(body_of(BatchBody))],
    query: Annotated[NoQuery, Query()],
    request: Request,
    engine: RequestEngine,
    store: RequestStore,
) -> Response:
    """Several lists, in the order asked; the same lists as one by one. One error refuses all.

    All are of one version, unless an experiment runs: then each is of its arm, and says of which version.
    """
    if sum(each.k for each in body.requests) > MAX_BATCH_ITEMS:
        raise InvalidRequestError(f"body.requests: expected a sum of all k of at most {MAX_BATCH_ITEMS}")
    count_as(request.scope, len(body.requests))
    engines = [_engine_of_arm(each, store, engine) for each in body.requests]
    each_with_engine = [*zip(body.requests, engines, strict=True)]
    asked = [_question(one, store, each) async for one, each in turns(each_with_engine)]
    answers: dict[int, Answer] = {}
    for key in dict.fromkeys(each.key for each in engines):  # the arms one after the other, two at most
        of_arm = [at for at, each in enumerate(engines) if each.key == key]
        sessions = [body.requests[at].session_id for at in of_arm]
        given = await engines[of_arm[0]].ask_many([asked[at][0] for at in of_arm], session_ids=sessions)
        answers.update(zip(of_arm, given, strict=True))
    in_order = [answers[at] for at in range(len(asked))]
    n_fresh = [n for _, n in asked]
    write = partial(BatchReply.json_of, in_order, n_fresh, model_version=engine.version)
    return Response(await in_thread(lambda check: write(check=check)), media_type="application/json")


@router.post(
    "/v1/rank",
    response_model=RankedCandidates,
    responses=problem_responses(*BODY_ERRORS, NoModelError),
    openapi_extra=operation_with_body(RankBody, {"user_id": "ada", "item_ids": ["ubik", "dune", "solaris"]}),
)
async def rank(
    body: Annotated[RankBody, Depends(body_of(RankBody))],
    query: Annotated[NoQuery, Query()],
    request: Request,
    store: RequestStore,
) -> Response:
    """The given items in the order of a user's scores; no item is left out, seen ones neither.

    Known items without a learned vector come after the scored ones, unknown items last.
    """
    engine = engine_for(request, body.user_id, body.session_id)
    asked = Question(user_id=body.user_id, events=body.events_of_log)
    question, n_fresh = with_fresh(asked, body.session_id, store.events if body.fresh else None, engine)
    answer = await engine.rank(
        body.item_ids, user_id=body.user_id, events=question.events, session_id=body.session_id
    )
    return await response_of(partial(RankedCandidates.of, answer, fresh_events=n_fresh), n_items=len(answer.items))


def _engine_of_arm(body: QuestionBody, store: ServedStore, current: ServedEngine) -> ServedEngine:
    return current if body.strict else store.arms.engine(body.user_id or body.session_id, current)


def _question(body: QuestionBody, store: ServedStore, engine: ServedEngine) -> tuple[Question, int]:
    """What `body` asks, with fresh events if there are any, and how many."""
    return with_fresh(body.question(), body.session_id, store.events if body.fresh else None, engine)
