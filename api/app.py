"""The application: routes, middleware and the lifespan that keeps a model loaded."""

import asyncio
import contextlib
import gc
import os
from collections.abc import AsyncIterator
from importlib.metadata import version

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse

from api.errors import Problem, problem_response
from api.metrics import Metrics, forget_dead_workers
from api.middleware import RequestMiddleware, context_of
from api.model_watch import ModelWatch
from api.recall_watch import RecallWatch
from api.requests import body_schemas
from api.routes import admin, health, items, metrics, model, questions, users
from api.settings import Settings, load_settings, warn_of_unknown

_DESCRIPTION = """\
Recommendations from the model that `recsys publish` last put into the store.

Every reply carries `X-Request-ID` (the client's own, where it sent a sane one) and, once a model is loaded,
`X-Model-Version`. Every error is an RFC 9457 problem (`application/problem+json`). Ids in paths are percent-encoded,
slashes too (`%2F`). An unknown or repeated query parameter under `/v1` is an error.
"""


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service for `settings`, or for those in the environment, which is read here and nowhere else."""
    if settings is None:
        warn_of_unknown(os.environ)
        settings = load_settings()
    figures = Metrics()
    recall = RecallWatch(settings.recall_sample, figures)
    watch = ModelWatch(settings.store, figures, offer=recall.offer if settings.recall_sample else None)
    app = FastAPI(
        title="recsys",
        version=version("recsys"),
        description=_DESCRIPTION,
        lifespan=lambda _: _watching(watch, recall, settings.poll_seconds),
        redoc_url=None,
        redirect_slashes=False,
    )
    app.add_middleware(RequestMiddleware, watch=watch, metrics=figures)
    for error in (RequestValidationError, HTTPException):  # the framework's own; all others get to the middleware
        app.add_exception_handler(error, _answer_problem)
    for routes in (users, items, model, questions):
        app.include_router(routes.router)
    app.include_router(health.router)
    app.include_router(metrics.router_of(figures))
    if settings.admin_key is not None:
        app.include_router(admin.router_of(watch, settings.admin_key))
    app.add_api_route("/", _to_docs, include_in_schema=False)
    app.openapi()["components"]["schemas"].update(body_schemas(), Problem=Problem.model_json_schema())
    return app


@contextlib.asynccontextmanager
async def _watching(watch: ModelWatch, recall: RecallWatch, poll_seconds: float) -> AsyncIterator[None]:
    """Load what is published now, then keep looking; a store without a sound version is no reason not to start."""
    forget_dead_workers()
    await asyncio.to_thread(watch.refresh)
    gc.freeze()  # what is here now stays: looking it through held every request up for a tenth of a second
    polling = asyncio.create_task(watch.run(poll_seconds))
    try:
        yield
    finally:
        polling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await polling
        await asyncio.to_thread(recall.close)


async def _to_docs(request: Request) -> Response:
    return RedirectResponse(f"{request.scope['root_path']}/docs")


async def _answer_problem(request: Request, error: Exception) -> Response:
    return problem_response(error, request_id=context_of(request.scope).request_id)
