"""What only the operator may do, and only if the service has an admin key."""

import asyncio
import logging
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field

from api.access.requires import requires
from api.errors import StoreRefusedError, problem_responses
from api.messages.queries import NoQuery, RequestStore
from api.messages.service_replies import Serving
from api.middleware import context_of
from api.stores.model_watch import ModelWatch
from api.stores.served_store import ServedStore
from recsys.api_keys.records import Scope
from recsys.artifacts.manifest import VERSION_PATTERN
from recsys.errors import ArtifactError, InvalidRequestError
from recsys.replica.replica import WAIT_SECONDS

NOT_MOVED = (
    "nothing has changed: there is no such version, none served before this one, or the store cannot be written; "
    "the service's log says which"
)

logger = logging.getLogger(__name__)


class RollbackQuery(NoQuery):
    """The query of a rollback."""

    version: str | None = Field(
        None, pattern=f"^{VERSION_PATTERN}$", description="default: the one that served before"
    )


router = APIRouter(
    prefix="/admin",
    tags=["admin"],
    dependencies=[requires(Scope.ADMIN)],
    responses=problem_responses(StoreRefusedError, InvalidRequestError),
)


@router.post("/reload")
async def reload(request: Request, query: Annotated[NoQuery, Query()], store: RequestStore) -> Serving:
    """Look at the store now. A version that could not be loaded a moment ago is tried again."""
    if store.replica is not None:
        await asyncio.to_thread(store.replica.replica.look, wait=WAIT_SECONDS)
    return await _served(store.watch, request)


@router.post("/rollback")
async def rollback(request: Request, query: Annotated[RollbackQuery, Query()], store: RequestStore) -> Serving:
    """Let an earlier version serve. The store's pointer moves, and other workers follow as they poll."""
    try:
        await asyncio.to_thread(_roll_back, store, query.version)
    except ArtifactError as error:
        logger.warning("rollback: %s", error)
        raise StoreRefusedError(NOT_MOVED) from error
    return await _served(store.watch, request)


def _roll_back(store: ServedStore, version: str | None) -> None:
    with store.to_change() as registry:
        registry.rollback(version)


async def _served(watch: ModelWatch, request: Request) -> Serving:
    """The version that the store points at. Raises StoreRefusedError if it cannot serve."""
    engine = await asyncio.to_thread(watch.refresh, again=True)
    if engine is None:
        raise StoreRefusedError(watch.reason)
    context_of(request.scope).engine = engine  # so that `X-Model-Version` says the same
    return Serving(model_version=engine.version)
