"""The service itself: the model that serves, probes and metrics."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import PlainTextResponse, Response

from api.errors import NoModelError, problem_responses
from api.metrics import Metrics
from api.middleware import context_of
from api.queries import NoQuery, RequestEngine
from api.replies import Alive, ModelReply, Ready
from recsys.errors import InvalidRequestError


def router_of(metrics: Metrics) -> APIRouter:
    """The routes; probes and metrics ignore query parameters, because some load balancers add their own."""
    router = APIRouter()

    @router.get(
        "/v1/model",
        tags=["model"],
        responses=problem_responses(InvalidRequestError, NoModelError),
        response_model_exclude_unset=True,  # a log without times has no newest event; metrics may be null
    )
    async def get_model(query: Annotated[NoQuery, Query()], engine: RequestEngine) -> ModelReply:
        """The version that serves: its age, the settings it was made with, its metrics, its index."""
        return ModelReply.of(engine.manifest)

    @router.get("/livez", tags=["health"])
    async def livez() -> Alive:
        """200 as long as the process answers; if it does not, restart it."""
        return Alive()

    @router.get("/readyz", tags=["health"], responses=problem_responses(NoModelError))
    async def readyz(engine: RequestEngine) -> Ready:
        """200 once a model is loaded; until then 503 with the reason: send no traffic yet."""
        return Ready(model_version=engine.version)

    @router.get("/metrics", tags=["health"], response_class=PlainTextResponse)
    async def get_metrics(request: Request) -> Response:
        """All metrics in Prometheus' text format."""
        engine = context_of(request.scope).engine
        exposition = metrics.exposition(None if engine is None else engine.serving_model)
        return Response(exposition, headers={"Content-Type": CONTENT_TYPE_LATEST})

    return router
