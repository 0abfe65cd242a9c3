"""Figures for Prometheus."""

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from api.metrics import Metrics
from api.middleware import context_of


def router_of(metrics: Metrics) -> APIRouter:
    """GET /metrics, which is no part of what `/docs` shows: it is for one program, in a format of its own."""
    router = APIRouter()

    @router.get("/metrics", include_in_schema=False)
    async def exposition(request: Request) -> Response:
        """Every figure in Prometheus' text format."""
        engine = context_of(request.scope).engine
        return Response(metrics.exposition(engine), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return router
