"""The service itself: the model that serves, probes and metrics."""

from typing import Annotated

from fastapi import APIRouter, Query
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response

from api.access.requires import requires
from api.engines.served_engine import ServedEngine
from api.errors import NoModelError, problem_responses
from api.messages.queries import NoQuery, RequestEngine, RequestStore
from api.messages.service_replies import Alive, ModelReply, Ready, RunningExperiment, StoresReady
from api.metrics import Metrics
from api.stores.arm_watch import arms_of
from api.stores.served_store import ServedStore, ServedStores
from recsys.api_keys.records import Scope
from recsys.errors import InvalidRequestError


def router_of(metrics: Metrics, stores: ServedStores) -> APIRouter:
    """The routes; probes and metrics ignore query parameters, because some load balancers add their own."""
    router = APIRouter()

    @router.get(
        "/v1/model",
        dependencies=[requires(Scope.READ)],
        tags=["model"],
        responses=problem_responses(InvalidRequestError, NoModelError),
        response_model_exclude_unset=True,  # a log without times has no newest event; metrics may be null
    )
    async def get_model(query: Annotated[NoQuery, Query()], engine: RequestEngine, store: RequestStore) -> ModelReply:
        """The version that serves: its age, the settings it was made with, its metrics, its index."""
        return ModelReply.of(engine.manifest, _experiment(store, engine))

    @router.get("/livez", tags=["health"])
    async def livez() -> Alive:
        """200 as long as the process answers; if it does not, restart it."""
        return Alive()

    async def readyz(engine: RequestEngine, store: RequestStore) -> Ready:
        """200 once a model is loaded; until then 503 with the reason: send no traffic yet."""
        return Ready(model_version=engine.version, warning=store.trouble)

    async def readyz_of_stores() -> StoresReady:
        """200 once every store that has versions serves one; until then 503, which names those that do not."""
        return _ready(stores)

    router.add_api_route(
        "/readyz",
        readyz_of_stores if stores.are_named else readyz,
        name="readyz",
        tags=["health"],
        responses=problem_responses(NoModelError),
        response_model_exclude_none=True,
    )

    @router.get("/metrics", tags=["health"], response_class=PlainTextResponse)
    async def get_metrics() -> Response:
        """All metrics in Prometheus' text format."""
        models = {store.name: store.serving_model for store in stores}
        replicas = {store.name: store.replica.status for store in stores if store.replica is not None}
        text = await run_in_threadpool(metrics.exposition, models, replicas)  # ten milliseconds, or more
        return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    return router


def _ready(stores: ServedStores) -> StoresReady:
    """The versions that serve, and the stores that nothing was published to. Raises NoModelError."""
    engines = {store.name: store.watch.engine for store in stores}
    waiting = tuple(store.name for store in stores if engines[store.name] is None)
    if len(waiting) == len(engines) or not all(stores.by_name[name].is_empty for name in waiting):
        raise NoModelError("; ".join(f"store {name}: {stores.by_name[name].reason}" for name in waiting))
    serving = {name: engine.version for name, engine in engines.items() if engine is not None}
    troubles = {store.name: store.trouble for store in stores if store.trouble is not None}
    return StoresReady(stores=serving, waiting=waiting, warnings=troubles or None)


def _experiment(store: ServedStore, engine: ServedEngine) -> RunningExperiment | None:
    split = store.arms.split
    if split is None:
        return None
    running = split.experiment
    arms = arms_of(split, engine)
    return RunningExperiment(name=running.name, started_at=running.started_at, share=running.share, arms=arms)
