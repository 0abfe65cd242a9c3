"""What the service is asked in bodies, as OpenAPI documents it."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from recsys.engine import Event, Question
from recsys.engine.question import (
    MAX_BOOST,
    MAX_BOOSTED,
    MAX_CANDIDATES,
    MAX_COMPARED,
    MAX_EVENTS,
    MAX_ID_BYTES,
    MAX_K,
    MAX_LISTED,
    MAX_TIMESTAMP,
    MAX_VALUE,
)

MAX_BATCH, MAX_BATCH_ITEMS = 1_000, 20_000
"""The most requests of a batch, and the most items that they may ask for together."""

Id = Annotated[str, StringConstraints(min_length=1, max_length=MAX_ID_BYTES)]
K = Annotated[int, Field(ge=1, le=MAX_K, description="how many items are wanted")]
Filter = Annotated[
    str | None, Field(description='a condition on the items\' attributes, such as `price < 20 and category = "Mugs"`')
]


class Body(BaseModel):
    """What all bodies have in common: nothing unknown, nothing converted, no NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class EventBody(Body):
    """One thing that somebody did, in the words of the log."""

    item_id: Id
    event: Annotated[str, StringConstraints(max_length=MAX_ID_BYTES)] | None = Field(
        None, description="its kind, by default the lightest that the log has"
    )
    value: float = Field(1.0, ge=-MAX_VALUE, le=MAX_VALUE, description="quantity, rating, play count ...")
    timestamp: Annotated[float, Field(ge=0, le=MAX_TIMESTAMP)] | datetime | None = Field(
        None, description="seconds since 1970 or ISO 8601, UTC where it names no zone; by default just now"
    )

    def event_of_log(self) -> Event:
        """As the engine takes it."""
        return Event(self.item_id, self.event, self.value, _seconds(self.timestamp))


class PersonBody(Body):
    """Whom a request is about: somebody known, a visitor who did something, or both in one."""

    user_id: Id | None = Field(None, description="whose stored history counts; left out for a visitor")
    events: list[EventBody] = Field([], max_length=MAX_EVENTS, description="what they did beside that")

    def events_of_log(self) -> tuple[Event, ...]:
        """The events as the engine takes them."""
        return tuple(event.event_of_log() for event in self.events)


class QuestionBody(PersonBody):
    """A list for somebody, with conditions."""

    k: K = 10
    exclude_seen: bool = Field(True, description="leave out what the user has already, the events' items included")
    filter: Filter = None
    include: list[Id] | None = Field(None, min_length=1, max_length=MAX_LISTED, description="only these items")
    exclude: list[Id] = Field([], max_length=MAX_LISTED, description="never these items")
    boosts: dict[Id, Annotated[float, Field(ge=1 / MAX_BOOST, le=MAX_BOOST)]] = Field(
        {}, max_length=MAX_BOOSTED, description="by item id: above 1 lifts an item, below 1 lowers it"
    )
    diversity: float = Field(0.0, ge=0, le=1, description="0: the best items; 1: items as unlike as can be")
    explain: bool = Field(False, description="give each item its reasons")
    strict: bool = Field(False, description="an error instead of a fallback, a short list or an unknown item")

    def question(self) -> Question:
        """As the engine takes it."""
        plain = {name: getattr(self, name) for name in _ALIKE}
        return Question(
            **plain,
            events=self.events_of_log(),
            include=None if self.include is None else tuple(self.include),
            exclude=tuple(self.exclude),
        )


class BatchBody(Body):
    """Many lists in one request."""

    requests: list[QuestionBody] = Field(min_length=1, max_length=MAX_BATCH)


class SimilarBody(Body):
    """Items like some and unlike others."""

    positive: list[Id] = Field(min_length=1, max_length=MAX_COMPARED, description="like these")
    negative: list[Id] = Field([], max_length=MAX_COMPARED, description="unlike these")
    k: K = 10
    filter: Filter = None


class RankBody(PersonBody):
    """Candidates to be put in somebody's order."""

    item_ids: list[Id] = Field(min_length=1, max_length=MAX_CANDIDATES, description="repeats count once")


def _seconds(timestamp: float | datetime | None) -> float | None:
    if not isinstance(timestamp, datetime):
        return timestamp
    return (timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)).timestamp()


def request_body(model: type[Body], example: dict[str, Any]) -> dict[str, Any]:
    """What OpenAPI says of a route that takes `model`, with an example to try."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}
    }


def body_schemas() -> dict[str, Any]:
    """The schemas that `request_body` refers to, by name."""
    schemas: dict[str, Any] = {}
    for model in (QuestionBody, BatchBody, SimilarBody, RankBody):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= {**schema.pop("$defs", {}), model.__name__: schema}
    return schemas


_ALIKE = ("user_id", "k", "exclude_seen", "filter", "boosts", "diversity", "explain", "strict")
