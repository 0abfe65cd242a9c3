"""Paths and queries of requests, read without the framework's general machinery, which takes as long as a search."""

import re
from functools import lru_cache
from typing import Annotated, TypeVar, cast
from urllib.parse import parse_qsl

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from api.engines.served_engine import ServedEngine
from api.errors import NoModelError, UnknownStoreError
from api.messages.formats import ID_FORMAT, NAMES_FORMAT, Filter
from api.middleware import ESCAPED_SLASH, context_of
from api.stores.served_store import ServedStore
from recsys.engine.comparison import By
from recsys.engine.ids import MAX_ID_BYTES
from recsys.engine.item_map import MAX_OFFSET, MAX_PLACES
from recsys.engine.question import MAX_K
from recsys.errors import InvalidRequestError

Query = TypeVar("Query", bound=BaseModel)

ID_IN_PATH = f"as the log spells it, percent-encoded; up to {MAX_ID_BYTES} bytes"

MAX_FIELDS_BYTES = 1_000
"""The longest list of attributes in a query."""

# Most requests repeat the query of an earlier one. What it parses to is frozen.
_CACHED_QUERIES = 256


def engine_of(request: Request) -> ServedEngine:
    """The engine that answers this request. Raises NoModelError if there is none yet."""
    context = context_of(request.scope)
    if context.engine is None:
        raise NoModelError(store_of(request).reason)
    return context.engine if context.is_shown else context.engine.unseen()


def engine_for(
    request: Request, user_id: str | None, session_id: str | None = None, *, is_strict: bool = False
) -> ServedEngine:
    """The engine that answers this user, or this session: that of its arm, if an experiment runs.

    A strict question is outside of experiments, because popular items are no answer to it.
    Raises NoModelError if there is none yet.
    """
    current = engine_of(request)
    if is_strict:
        return current
    context = context_of(request.scope)
    context.engine = store_of(request).arms.engine(user_id or session_id, current)
    return engine_of(request)


def store_of(request: Request) -> ServedStore:
    """The store of this request. Raises UnknownStoreError if its path is one of no store."""
    store = context_of(request.scope).store
    if store is None:
        raise UnknownStoreError
    return store


async def _store_of(request: Request) -> ServedStore:
    return store_of(request)


async def _engine_of(request: Request) -> ServedEngine:  # a plain function would be called in a thread
    return engine_of(request)


RequestEngine = Annotated[ServedEngine, Depends(_engine_of)]
RequestStore = Annotated[ServedStore, Depends(_store_of)]


def _whole_number(value: object) -> object:
    """Only plain digits: pydantic alone takes `1.0`, `+1` and `1_0` for whole numbers too."""
    if isinstance(value, str) and not (re.fullmatch("[0-9]{1,9}", value) and 1 <= int(value) <= MAX_K):
        raise ValueError(f"expected a whole number from 1 to {MAX_K}")
    return value


K = Annotated[int, Field(ge=1, le=MAX_K, description="number of items wanted"), BeforeValidator(_whole_number)]
FilterText = Annotated[
    Filter | None,
    Field(description='condition on the items\' attributes, such as `price < 20 and category = "Mugs"`'),
]


class NoQuery(BaseModel):
    """The query of a route that takes none. An unknown parameter is an error, never ignored."""

    model_config = ConfigDict(frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _only_known(cls, given: dict[str, object]) -> dict[str, object]:
        """As `extra="forbid"`, whose message would not say what is known."""
        if not given.keys() <= cls.model_fields.keys():
            known = ", ".join(cls.model_fields)
            raise ValueError(f"holds an unknown parameter; expected {f'only {known}' if known else 'none'}")
        return given


Fields = Annotated[
    str,
    Field(
        max_length=MAX_FIELDS_BYTES,
        description="attributes to list with each item, such as `price,category`",
        json_schema_extra={"format": NAMES_FORMAT},
    ),
]
IdText = Annotated[str, Field(min_length=1, max_length=MAX_ID_BYTES, json_schema_extra={"format": ID_FORMAT})]


def names_in(fields: str) -> tuple[str, ...]:
    """The names in the text of `fields`."""
    return tuple(name.strip() for name in fields.split(",") if name.strip())


class ListQuery(NoQuery):
    """The query of a list."""

    k: K = 10
    filter: FilterText = None
    fields: Fields = ""

    @property
    def field_names(self) -> tuple[str, ...]:
        """The names in `fields`."""
        return names_in(self.fields)


EXCLUDE_SEEN = (
    "leave out the items that the user already has; if unset, as the version was evaluated: true by default"
)
"""Description of `exclude_seen`."""


COMPARED_BY = (
    "what is compared: `behaviour`, the learned vectors; `content`, what is known of the items; `both`, the mean of "
    "the two cosines"
)
"""Description of `by`."""


class SimilarQuery(ListQuery):
    """The query of similar items."""

    by: By = Field("behaviour", description=COMPARED_BY)


NEW_SHARE = "share of the places that is kept for new items, rounded up; if unset, that of the version"
"""Description of `new_share`."""


FRESH = (
    "fold in what the user, and the session, did since the log of the version ends, as posted to /v1/events; "
    "false: only what the version knows"
)
"""Description of `fresh`."""

SESSION = "session of the user or visitor, whose events count too"
"""Description of `session_id`."""


class RecommendationQuery(ListQuery):
    """The query of a user's list."""

    exclude_seen: bool | None = Field(None, description=EXCLUDE_SEEN)
    new_share: float | None = Field(None, ge=0, le=1, description=NEW_SHARE)
    session_id: IdText | None = Field(None, description=SESSION)
    fresh: bool = Field(True, description=FRESH)


def whole_from(low: int, high: int) -> BeforeValidator:
    """A check that takes only plain digits, as of `K`, from `low` to `high`."""

    def checked(value: object) -> object:
        if isinstance(value, str) and not (re.fullmatch("[0-9]{1,9}", value) and low <= int(value) <= high):
            raise ValueError(f"expected a whole number from {low} to {high}")
        return value

    return BeforeValidator(checked)


class MapQuery(NoQuery):
    """The query of the map."""

    limit: Annotated[
        int, Field(ge=1, le=MAX_PLACES, description="number of items wanted"), whole_from(1, MAX_PLACES)
    ] = 1000
    offset: Annotated[
        int,
        Field(ge=0, le=MAX_OFFSET, description="items to pass over, those with more users"),
        whole_from(0, MAX_OFFSET),
    ] = 0
    fields: Fields = ""

    @property
    def field_names(self) -> tuple[str, ...]:
        """The names in `fields`."""
        return names_in(self.fields)


MAX_EVENT_PAGE = 1_000
"""The most events of one page."""


class EventsQuery(NoQuery):
    """The query of kept events: of a user or of a session."""

    user_id: IdText | None = Field(None, description="whose events")
    session_id: IdText | None = Field(None, description="instead of `user_id`: the events of a session")
    limit: Annotated[
        int, Field(ge=1, le=MAX_EVENT_PAGE, description="number of events wanted"), whole_from(1, MAX_EVENT_PAGE)
    ] = 100
    before: int | None = Field(
        None, ge=1, le=2**62, description="`next` of the page before; left out for the first page"
    )

    @model_validator(mode="after")
    def _one_person(self) -> "EventsQuery":
        if (self.user_id is None) == (self.session_id is None):
            raise ValueError("expected user_id or session_id")
        return self


class SimilarUsersQuery(NoQuery):
    """The query of similar users."""

    k: K = 10


def query_of(request: Request, model: type[Query]) -> Query:
    """A request's query as `model`.

    Raises RequestValidationError if `model` refuses it, and InvalidRequestError if it is not UTF-8 or repeats a
    parameter: taking the last one would silently drop the other.
    """
    return cast(Query, _parsed(request.scope["query_string"], model))


@lru_cache(_CACHED_QUERIES)
def _parsed(query_string: bytes, model: type[BaseModel]) -> BaseModel:
    try:
        pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError as error:
        raise InvalidRequestError("query: expected percent-encoded UTF-8") from error
    given = dict(pairs)
    if len(given) < len(pairs):
        _refuse_repeats([name for name, _ in pairs], model)
    try:
        return model.model_validate(given)
    except ValidationError as error:
        problems = [{**problem, "loc": ("query", *problem["loc"])} for problem in error.errors()]
        raise RequestValidationError(problems) from error


def _refuse_repeats(names: list[str], model: type[BaseModel]) -> None:
    """Repeats of a name that `model` does not have are left to `model`, which refuses it without naming it."""
    for name in model.model_fields:
        if (count := names.count(name)) > 1:
            raise InvalidRequestError(f"query parameter {name}: given {count} times; expected at most once")


def path_id(request: Request, name: str) -> str:
    """The id at `name` of a request's path, with its slashes."""
    segment: str = request.path_params[name]
    return segment.replace(ESCAPED_SLASH, "/")
