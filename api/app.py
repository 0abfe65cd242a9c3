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

from api.errors import problem_response
from api.metrics import Metrics, forget_dead_workers
from api.middleware import RequestMiddleware, context_of
from api.model_watch import ModelWatch
from api.openapi import complete
from api.posted_store import FILE_NAME, PostedStore
from api.posted_watch import PostedWatch
from api.recall import CORE_SHARE, RecallSampler
from api.routes import admin, item_map, items, recommendations, service, users
from api.routes import posted as posted_items
from api.settings import Settings, load_settings, warn_of_unknown

_DESCRIPTION = """\
Recommendations from the model that `recsys publish` last put into the store.

Every error is an RFC 9457 problem (`application/problem+json`). Ids in paths are percent-encoded, slashes too
(`%2F`). An unknown or repeated query parameter under `/v1` is an error. What is unknown is left out of a reply, never
null.
"""


def create_app(settings: Settings | None = None, *, recall_core_share: float = CORE_SHARE) -> FastAPI:
    """The service for `settings`, by default for those in the environment; see `RecallSampler` for the share."""
    if settings is None:
        warn_of_unknown(os.environ)
        settings = load_settings()
    metrics = Metrics()
    recall = RecallSampler(settings.recall_sample, metrics, core_share=recall_core_share)
    posted = PostedWatch(PostedStore(settings.new_items or settings.store / FILE_NAME))
    watch = ModelWatch(
        settings.store,
        metrics,
        offer_check=recall.offer if settings.recall_sample else None,
        before_serving=posted.refresh,
    )
    app = FastAPI(
        title="recsys",
        version=version("recsys"),
        description=_DESCRIPTION,
        lifespan=lambda _: _watching(watch, recall, posted, seconds=settings.poll_seconds),
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
        redirect_slashes=False,
    )
    app.add_middleware(RequestMiddleware, watch=watch, metrics=metrics)
    for error in (RequestValidationError, HTTPException):  # the framework's own; the middleware answers all others
        app.add_exception_handler(error, _answer_problem)
    for routes in (users, items, item_map, recommendations):
        app.include_router(routes.router)
    app.include_router(service.router_of(metrics))
    if settings.admin_key is not None:
        app.include_router(admin.router_of(watch, settings.admin_key))
        app.include_router(posted_items.router_of(posted, settings.admin_key))
    app.add_api_route("/", _to_docs, include_in_schema=False)
    complete(app.openapi())
    return app


@contextlib.asynccontextmanager
async def _watching(
    watch: ModelWatch, recall: RecallSampler, posted: PostedWatch, *, seconds: float
) -> AsyncIterator[None]:
    """Load what is published now, then keep looking. The service starts without a sound version, too."""
    forget_dead_workers()
    await asyncio.to_thread(watch.refresh)
    gc.freeze()  # what is here now stays; collections that looked through it delayed requests by 0.1 s
    polling = [asyncio.create_task(each) for each in (watch.run(seconds), posted.run(lambda: watch.engine))]
    try:
        yield
    finally:
        for task in polling:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await asyncio.to_thread(recall.close)


async def _to_docs(request: Request) -> Response:
    return RedirectResponse(f"{request.scope['root_path']}/docs")


async def _answer_problem(request: Request, error: Exception) -> Response:
    return problem_response(error, request_id=context_of(request.scope).request_id)
