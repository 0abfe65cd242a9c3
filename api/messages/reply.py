"""What all replies have in common. A field that is None is left out of the reply, and OpenAPI says so."""

from collections.abc import Callable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from api.deadline import alone_in_thread
from recsys.engine import Answer
from recsys.experiments.assignment import ArmName
from recsys.online.recommendation_id import LENGTH

_MANY_ITEMS = 500


def json_response(reply: BaseModel) -> Response:
    """The response that carries `reply`, without the fields that are None. It skips the framework's second check."""
    return Response(reply.model_dump_json(exclude_none=True), media_type="application/json")


async def response_of(make: Callable[[], BaseModel], *, n_items: int) -> Response:
    """The response that carries the reply that `make` makes; of many items it is written in a thread."""
    if n_items <= _MANY_ITEMS:
        return json_response(make())
    return await alone_in_thread(lambda: json_response(make()))


class Reply(BaseModel):
    """What all replies have in common: no NaN, and the version that answered."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    model_version: str = Field(description="the version that answered, as in `X-Model-Version`")


class ListReply(Reply):
    """What all lists have in common."""

    recommendation_id: str = Field(
        pattern=f"^[A-Za-z0-9_-]{{{LENGTH}}}$",
        description="the list's own id, to be sent with the events that it leads to; it says version, arm and time",
    )
    arm: ArmName | None = Field(None, description="the arm of a running experiment; left out outside of one")


Requested = Annotated[int, Field(description="the `k` asked for")]
Returned = Annotated[int, Field(description="length of the list; if it is less than `k`, a warning says why")]
UnknownItems = Annotated[
    tuple[str, ...] | None,
    Field(description="item ids of the request that this version does not have; left out if none"),
]


FreshEvents = Annotated[
    int | None,
    Field(description="events posted since the log of the version ends that count in this answer; left out if none"),
]


def list_fields(answer: Answer) -> dict[str, object]:
    """The fields of `answer` that most lists have."""
    return {
        "model_version": answer.model_version,
        "recommendation_id": answer.recommendation_id,
        "arm": answer.arm,
        "items": answer.items,
        "requested": answer.requested,
        "returned": len(answer.items),
        "warnings": answer.warnings,
        **({"unknown_items": answer.unknown_items} if answer.unknown_items else {}),
    }
