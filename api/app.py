"""The application: routes, middleware and the lifespan that keeps a model loaded."""

import contextlib
import os
from collections.abc import AsyncIterator
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api.access.guard import Guard
from api.access.requires import requirements_of
from api.admission.admission import Admission
from api.admission.refusal import Refuser
from api.direct import DirectRoutes
from api.engines.recall import CORE_SHARE
from api.errors import problem_response
from api.explorer.pages import router_of as pages_of
from api.messages.formats import FORMATS
from api.messages.openapi import complete, describe_access, name_stores
from api.metrics import NO_STORE, Metrics, forget_dead_workers
from api.middleware import RequestLimits, RequestMiddleware, context_of
from api.process.connections import Connections, Limits
from api.process.ending import end_in_time
from api.process.garbage import rarely_collected
from api.process.traffic_control import TrafficControl
from api.routes import (
    admin,
    events,
    explorer,
    finding,
    item_map,
    items,
    pages,
    people,
    posted,
    recommendations,
    service,
    users,
)
from api.settings import Settings, check_names, load_settings, warn_of_unknown
from api.stores.served_store import ServedStores
from recsys import tracing

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
    check_names(settings)
    metrics = Metrics(NO_STORE if settings.store.are_named else None)
    tracing.start("recsys-service")
    stores = ServedStores(settings, metrics, recall_core_share=recall_core_share)
    admission = Admission(metrics.traffic)
    control = TrafficControl(
        metrics.traffic,
        admission,
        Connections(Limits.of_process(settings.address_connections), metrics.traffic),
        Refuser(settings.root_path),
    )
    guard = Guard(settings)
    app = FastAPI(
        title="recsys",
        version=version("recsys"),
        description=_DESCRIPTION + FORMATS,
        lifespan=lambda _: _serving(stores, control, guard, seconds=settings.poll_seconds),
        docs_url=None,
        redoc_url=None,
        # Its own spans and logs hold paths, queries and messages, and with them ids; ours do not.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        generate_unique_id_function=lambda route: route.name,
        redirect_slashes=False,
    )
    for error in (RequestValidationError, HTTPException):  # the framework's own; the middleware answers all others
        app.add_exception_handler(error, _answer_problem)
    routers = [each.router for each in (users, items, finding, item_map, recommendations, pages)]
    routers.append(service.router_of(metrics, stores))
    if guard.policy.has_operator:
        routers += [admin.router, posted.router, people.router]
    if stores.have_events:
        routers.append(events.router)
    if settings.explorer == "on":
        routers.append(explorer.router)
    routers.append(pages_of(settings, stores, guard.source))
    for router in routers:
        app.include_router(router)
    routes = [*app.routes, *(route for router in routers for route in router.routes)]
    app.add_middleware(
        RequestMiddleware,
        stores=stores,
        metrics=metrics,
        admission=admission,
        guard=guard,
        limits=RequestLimits(settings.request_points, settings.request_seconds),
        operations_port=settings.operations_port,
        direct=DirectRoutes(routes),
    )
    app.state.other_versions = {}
    complete(app.openapi())
    describe_access(app.openapi(), requirements_of(routes), guard.policy)
    if stores.are_named:
        name_stores(app.openapi())
    return app


@contextlib.asynccontextmanager
async def _serving(
    stores: ServedStores, control: TrafficControl, guard: Guard, *, seconds: float
) -> AsyncIterator[dict[str, Any]]:
    """Load what is published now, then keep looking. The service starts without a sound version, too."""
    forget_dead_workers()
    end_in_time()
    await stores.load()
    async with contextlib.AsyncExitStack() as polling:
        polling.enter_context(rarely_collected())
        for store in stores:
            await polling.enter_async_context(store.polling(seconds=seconds))
        await polling.enter_async_context(control.watching())
        await polling.enter_async_context(guard.watching())
        yield control.as_state()
    tracing.stop()


async def _answer_problem(request: Request, error: Exception) -> Response:
    return problem_response(error, request_id=context_of(request.scope).request_id)
