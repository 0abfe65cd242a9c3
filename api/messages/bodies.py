"""Bodies of requests: their fields and bounds, read strictly, refused without repeating what came."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Annotated, Self, TypeVar, get_args

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import ErrorDetails
from starlette.requests import ClientDisconnect

from api.errors import BodyTooLargeError, SlowBodyError
from api.messages.queries import COMPARED_BY, EXCLUDE_SEEN, FRESH, NEW_SHARE, SESSION, FilterText
from recsys.data.items import TITLE
from recsys.engine import Event, Question
from recsys.engine.comparison import By
from recsys.engine.ids import MAX_ID_BYTES
from recsys.engine.item_updates import MAX_UPDATES
from recsys.engine.posted import MAX_ATTRIBUTE_TEXT
from recsys.engine.question import (
    MAX_BOOST,
    MAX_BOOSTED,
    MAX_CANDIDATES,
    MAX_COMPARED,
    MAX_EVENTS,
    MAX_K,
    MAX_LISTED,
    MAX_TIMESTAMP,
    MAX_VALUE,
    MAX_VIEWED,
)
from recsys.engine.scenarios import MAX_ROWS, Row
from recsys.engine.text_search import MAX_TEXT
from recsys.errors import InvalidRequestError

MAX_BODY_BYTES = 2 * 2**20
"""The longest body, in bytes."""

BODY_SECONDS = 10.0
"""Time in which a body must have arrived."""

MAX_BATCH, MAX_BATCH_ITEMS = 1_000, 20_000
"""The most requests of a batch, and the most items that they may ask for together."""

MAX_FIELDS = 100
"""The most attributes that are listed with each item."""

Id = Annotated[str, StringConstraints(min_length=1, max_length=MAX_ID_BYTES)]
K = Annotated[int, Field(ge=1, le=MAX_K, description="number of items wanted")]


FieldNames = Annotated[
    list[Annotated[str, StringConstraints(min_length=1, max_length=MAX_ID_BYTES)]],
    Field(max_length=MAX_FIELDS, description="attributes to list with each item"),
]


Title = Annotated[str, StringConstraints(max_length=MAX_ATTRIBUTE_TEXT)] | None
Attributes = dict[Id, str | bool | int | float | list[str] | None]


class Body(BaseModel):
    """What all bodies have in common: no unknown field, no conversion, no NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class EventBody(Body):
    """One event of a user, as the log would hold it."""

    item_id: Id
    event: Annotated[str, StringConstraints(max_length=MAX_ID_BYTES)] | None = Field(
        None, description="kind of event; default: the kind of the log with the least weight"
    )
    value: float = Field(1.0, ge=-MAX_VALUE, le=MAX_VALUE, description="quantity, rating, play count ...")
    timestamp: Annotated[float, Field(ge=0, le=MAX_TIMESTAMP)] | datetime | None = Field(
        None, description="seconds since 1970, or ISO 8601, UTC if it names no zone; default: now"
    )

    def event_of_log(self) -> Event:
        """The event as the engine takes it."""
        return Event(
            self.item_id, self.event, self.value, None if self.timestamp is None else seconds_of(self.timestamp)
        )


class ProfileBody(Body):
    """The user of a request: a known one, a visitor described by events, or a known one with new events."""

    user_id: Id | None = Field(None, description="user whose stored history counts; left out for a visitor")
    events: list[EventBody] = Field(
        [], max_length=MAX_EVENTS, description="what the user did beside the stored history"
    )

    def events_of_log(self) -> tuple[Event, ...]:
        """The events as the engine takes them."""
        return tuple(event.event_of_log() for event in self.events)


class QuestionBody(ProfileBody):
    """A list for a user, with conditions."""

    k: K = 10
    exclude_seen: bool | None = Field(None, description=f"{EXCLUDE_SEEN}. The events' items count as seen")
    filter: FilterText = None
    include: list[Id] | None = Field(None, min_length=1, max_length=MAX_LISTED, description="list only these items")
    exclude: list[Id] = Field([], max_length=MAX_LISTED, description="never list these items")
    boosts: dict[Id, Annotated[float, Field(ge=1 / MAX_BOOST, le=MAX_BOOST)]] = Field(
        {},
        max_length=MAX_BOOSTED,
        description="factor per item id: above 1 raises an item's score, below 1 lowers it",
    )
    diversity: float = Field(
        0.0, ge=0, le=1, description="0: the best items; 1: items as unlike each other as possible"
    )
    new_share: float | None = Field(None, ge=0, le=1, description=NEW_SHARE)
    explain: bool = Field(False, description="list each item's reasons")
    strict: bool = Field(False, description="an error instead of a fallback, a short list or unknown items")
    fields: FieldNames = []
    session_id: Id | None = Field(None, description=SESSION)
    fresh: bool = Field(True, description=FRESH)

    def question(self) -> Question:
        """The question as the engine takes it."""
        return Question(
            user_id=self.user_id,
            events=self.events_of_log(),
            k=self.k,
            exclude_seen=self.exclude_seen,
            filter=self.filter,
            include=None if self.include is None else tuple(self.include),
            exclude=tuple(self.exclude),
            boosts=self.boosts,
            diversity=self.diversity,
            new_share=self.new_share,
            explain=self.explain,
            strict=self.strict,
            fields=tuple(self.fields),
        )


class PageBody(ProfileBody):
    """Several rows for one user: those of the request, or those of a scenario."""

    rows: list[Row] = Field([], max_length=MAX_ROWS, description="the rows, from top to bottom; or name a scenario")
    scenario: Id | None = Field(None, description="name of a page in the store's scenarios.toml, instead of rows")
    item_id: Id | None = Field(None, description="item that the page shows; no row lists it")
    exclude: list[Id] = Field([], max_length=MAX_LISTED // 2, description="never list these items")
    exclude_seen: bool | None = Field(None, description=f"{EXCLUDE_SEEN}. The events' items count as seen")
    keep_empty: bool | None = Field(None, description="list rows without items, too; default: as the scenario says")
    fields: FieldNames = []
    session_id: Id | None = Field(None, description=SESSION)
    fresh: bool = Field(True, description=FRESH)

    @model_validator(mode="after")
    def _has_one_layout(self) -> Self:
        if bool(self.rows) == (self.scenario is not None):
            raise ValueError("expected either rows or a scenario")
        return self

    def question(self) -> Question:
        """What holds for every row."""
        exclude = (*self.exclude, *(() if self.item_id is None else (self.item_id,)))
        return Question(
            user_id=self.user_id,
            events=self.events_of_log(),
            exclude=exclude,
            exclude_seen=self.exclude_seen,
            fields=tuple(self.fields),
        )


class BatchBody(Body):
    """Several lists in one request."""

    requests: list[QuestionBody] = Field(min_length=1, max_length=MAX_BATCH)


class SimilarBody(Body):
    """Items similar to some and dissimilar to others."""

    positive: list[Id] = Field(min_length=1, max_length=MAX_COMPARED, description="items to be similar to")
    negative: list[Id] = Field([], max_length=MAX_COMPARED, description="items to be dissimilar to")
    k: K = 10
    filter: FilterText = None
    fields: FieldNames = []
    by: By = Field("behaviour", description=COMPARED_BY)


class SearchBody(Body):
    """Items found by words."""

    text: str = Field(min_length=1, max_length=MAX_TEXT, description="words of the items wanted")
    k: K = 10
    filter: FilterText = None
    fields: FieldNames = []


class PostedBody(Body):
    """An item that came after the version was made."""

    title: Title = Field(None, description="left out if unknown")
    attributes: Attributes = Field(
        {}, max_length=MAX_FIELDS, description="attributes of the version's items, of the same kinds"
    )


class UpdateBody(Body):
    """New values of an item: what is not named stays, null removes a value."""

    title: Title = Field(None, description="the new title")
    attributes: Attributes = Field(
        {}, max_length=MAX_FIELDS, description="new values of attributes of the version's items, of the same kinds"
    )

    @model_validator(mode="after")
    def _tells_something(self) -> Self:
        if "title" not in self.model_fields_set and not self.attributes:
            raise ValueError("expected a title or an attribute")
        return self

    def values(self) -> dict[str, object]:
        """The new values by attribute; the title goes by "title"."""
        title: dict[str, object] = {TITLE: self.title} if "title" in self.model_fields_set else {}
        return {**title, **self.attributes}


class ItemUpdateBody(UpdateBody):
    """New values of one of several items."""

    item_id: Id


class UpdatesBody(Body):
    """New values of several items."""

    items: list[ItemUpdateBody] = Field(
        min_length=1, max_length=MAX_UPDATES, description="in order: of two values of one attribute the later counts"
    )


class ItemsBody(Body):
    """Items to be shown."""

    item_ids: list[Id] = Field(min_length=1, max_length=MAX_VIEWED, description="the items; repeats count once")


class RankBody(ProfileBody):
    """Candidates to be ranked for a user."""

    item_ids: list[Id] = Field(
        min_length=1, max_length=MAX_CANDIDATES, description="the candidates; repeats count once"
    )
    session_id: Id | None = Field(None, description=SESSION)
    fresh: bool = Field(True, description=FRESH)


def seconds_of(timestamp: float | datetime) -> float:
    """A time of a body as UTC seconds; one that names no zone is UTC."""
    if not isinstance(timestamp, datetime):
        return timestamp
    return (timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)).timestamp()


AnyBody = TypeVar("AnyBody", bound=Body)


def body_of(
    model: type[AnyBody], *, seconds: float = BODY_SECONDS
) -> Callable[[Request], Coroutine[None, None, AnyBody]]:
    """A function that reads a request's body as `model`, whatever Content-Type says, within `seconds`.

    It raises BodyTooLargeError, SlowBodyError, and InvalidRequestError naming the field and what was expected there.
    """

    async def read(request: Request) -> AnyBody:
        raw = await _read(request, seconds)
        try:
            return model.model_validate_json(raw)
        except ValidationError as error:
            explained = dict.fromkeys(_explain(problem, model) for problem in error.errors(include_input=False))
            raise InvalidRequestError("; ".join([*explained][:_MAX_SHOWN])) from error

    return read


async def _read(request: Request, seconds: float) -> bytes:
    """The whole body. It is bounded while it is read, whatever length its sender announced."""
    raw = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                raw += chunk
                if len(raw) > MAX_BODY_BYTES:
                    raise BodyTooLargeError
    except TimeoutError as error:
        raise SlowBodyError from error
    except ClientDisconnect as error:
        raise InvalidRequestError("body: the connection was closed before it was whole") from error
    return bytes(raw)


def _explain(problem: ErrorDetails, model: type[BaseModel]) -> str:
    """One error of pydantic's, without the value that came, and without keys that the client made up."""
    kind, path = problem["type"], problem["loc"]
    if kind == "extra_forbidden":
        return f"{_place(path[:-1])}: holds an unknown field; expected only {', '.join(_known(model, path[:-1]))}"
    if "timestamp" in path:
        return f"{_place(path)}: expected seconds since 1970, or ISO 8601"
    return f"{_place(path)}: {problem['msg'].replace('Input should be', 'expected')}"


def _known(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """The fields of the object at `path`: only lists of objects are nested in bodies."""
    for name in path:
        if isinstance(name, str):
            (model,) = get_args(model.model_fields[name].annotation)
    return list(model.model_fields)


def _place(path: tuple[int | str, ...]) -> str:
    """Where in the body. Below some fields are ids, which are not repeated, or types."""
    end = next((at + 1 for at, part in enumerate(path) if part in _ENDS), len(path))
    return ".".join(["body", *(str(part) for part in path[:end])])


_ENDS = ("boosts", "timestamp", "attributes")
_MAX_SHOWN = 10


BODIES: tuple[type[Body], ...] = (
    QuestionBody,
    BatchBody,
    PageBody,
    SimilarBody,
    SearchBody,
    PostedBody,
    UpdateBody,
    UpdatesBody,
    ItemsBody,
    RankBody,
)
"""Every body that a route takes."""
