"""A typed client of the service, synchronous and asynchronous. It imports httpx and pydantic, and none of the engine.

from recsys.client import Client

with Client("http://127.0.0.1:8000") as client:
    for item in client.get_recommendations("u42", k=5).items:
        print(item.title, item.score)
"""

from recsys.client.client import AsyncClient, Client
from recsys.client.errors import (
    ClientError,
    ConflictError,
    FaultError,
    ForbiddenError,
    InvalidReplyError,
    InvalidRequestError,
    NoReplyError,
    NotFoundError,
    ProblemError,
    UnauthorizedError,
    UnavailableError,
    UnknownItemError,
    UnknownUserError,
)
from recsys.client.questions import Event, ItemUpdate, PostedEvent, Question, Row
from recsys.client.retries import Retries

__all__ = [
    "AsyncClient",
    "Client",
    "ClientError",
    "ConflictError",
    "Event",
    "FaultError",
    "ForbiddenError",
    "InvalidReplyError",
    "InvalidRequestError",
    "ItemUpdate",
    "NoReplyError",
    "NotFoundError",
    "PostedEvent",
    "ProblemError",
    "Question",
    "Retries",
    "Row",
    "UnauthorizedError",
    "UnavailableError",
    "UnknownItemError",
    "UnknownUserError",
]
