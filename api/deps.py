"""What routes ask for: the engine of this request, and the parameters they share."""

import re
from typing import Annotated, Any

from fastapi import Depends, Path, Request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from api.errors import NoModelError
from api.middleware import context_of
from api.queries import ID_IN_PATH, with_slashes
from api.served import ServedEngine
from recsys.engine.question import MAX_K


def engine_of(request: Request) -> ServedEngine:
    """The engine this request is answered by. Raises NoModelError while there is none."""
    context = context_of(request.scope)
    if context.engine is None:
        raise NoModelError(context.no_engine_reason)
    return context.engine


async def request_engine(request: Request) -> ServedEngine:
    """The same, as what a route depends on."""
    return engine_of(request)


def _whole_number(value: Any) -> Any:
    """Only plain digits: left to itself, pydantic takes `1.0`, `+1` and `1_0` for whole numbers too."""
    if isinstance(value, str) and not (re.fullmatch("[0-9]{1,9}", value) and 1 <= int(value) <= MAX_K):
        raise ValueError(f"expected a whole number from 1 to {MAX_K}")
    return value


RequestEngine = Annotated[ServedEngine, Depends(request_engine)]
ItemId = Annotated[str, AfterValidator(with_slashes), Path(description=ID_IN_PATH)]
K = Annotated[int, Field(ge=1, le=MAX_K, description="how many items are wanted"), BeforeValidator(_whole_number)]


class NoQuery(BaseModel):
    """The query of a route that takes none; a parameter that is not known is an error, never ignored."""

    model_config = ConfigDict(frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _only_known(cls, given: dict[str, Any]) -> dict[str, Any]:
        """As `extra="forbid"`, whose message would not say what is known."""
        if not given.keys() <= cls.model_fields.keys():
            known = ", ".join(cls.model_fields)
            raise ValueError(f"holds an unknown parameter; expected {f'only {known}' if known else 'none'}")
        return given


class ListQuery(NoQuery):
    """The query of a list."""

    k: K = 10
    filter: str | None = Field(
        None, description='a condition on the items\' attributes, such as `price < 20 and category = "Mugs"`'
    )


class RecommendationQuery(ListQuery):
    """The query of a user's list."""

    exclude_seen: bool = Field(True, description="leave out the items that the user already has")
