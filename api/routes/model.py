"""The model that serves."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.deps import NoQuery, RequestEngine
from api.errors import NoModelError, problem_responses
from api.schemas import ModelReply
from recsys.errors import InvalidRequestError

router = APIRouter(tags=["model"])


@router.get("/v1/model", responses=problem_responses(InvalidRequestError, NoModelError))
async def model(query: Annotated[NoQuery, Query()], engine: RequestEngine) -> ModelReply:
    """The version that serves: its age, the settings it was made with, its metrics, its index."""
    return ModelReply.of(engine.describe())
