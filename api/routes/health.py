"""Probes. Unlike `/v1` they ignore query parameters: some load balancers add their own."""

from fastapi import APIRouter

from api.deps import RequestEngine
from api.errors import NoModelError, problem_responses
from api.schemas import Alive, Ready

router = APIRouter(tags=["health"])


@router.get("/livez")
async def livez() -> Alive:
    """200 as long as the process answers; where it does not, restart it."""
    return Alive()


@router.get("/readyz", responses=problem_responses(NoModelError))
async def readyz(engine: RequestEngine) -> Ready:
    """200 once a model is loaded; until then 503 with the reason: send no traffic yet."""
    return Ready(model_version=engine.version)
