"""What the service answers. A field that is None is left out of the reply, and OpenAPI says so."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from api.events.intake import RefusedEvent
from recsys.artifacts.manifest import Manifest, newest_event_of
from recsys.engine import Answer, Candidate, CandidateAnswer, ItemView, Ranked, RankedUser, UserAnswer, UserStatus
from recsys.engine.item_map import MapPage, Place
from recsys.engine.pages import PageAnswer, PageRow
from recsys.engine.scenarios import RowKind
from recsys.event_store.events import KeptEvent
from recsys.experiments.assignment import ArmName
from recsys.online.recommendation_id import LENGTH

PUBLIC_CONFIG = ("prepare", "evaluate", "model", "index")
"""The sections of the configuration that are shown; the others name places of another machine."""


_PLACES = ("path", "paths")


def json_response(reply: BaseModel) -> Response:
    """The response that carries `reply`, without the fields that are None. It skips the framework's second check."""
    return Response(reply.model_dump_json(exclude_none=True), media_type="application/json")


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


class User(BaseModel):
    """The user of a list, and where the list comes from."""

    model_config = ConfigDict(frozen=True)

    id: str | None = Field(None, description="left out for a visitor")
    status: UserStatus = Field(
        description="`known`: from this user's history; `folded_in`: from the events in the request, and the user's "
        "stored history if there is one; `fallback`: the most popular items, because nothing is known of this user"
    )


class ItemRef(BaseModel):
    """The item that a list belongs to."""

    model_config = ConfigDict(frozen=True)

    id: str


class UserRef(BaseModel):
    """The user that a list belongs to."""

    model_config = ConfigDict(frozen=True)

    id: str


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


class Recommendations(ListReply):
    """A user's list, best first."""

    user: User
    items: tuple[Ranked, ...]
    requested: Requested
    returned: Returned
    warnings: tuple[str, ...]
    unknown_items: UnknownItems = None
    fresh_events: FreshEvents = None

    @classmethod
    def of(cls, answer: Answer, *, fresh_events: int = 0) -> Self:
        """The reply that carries `answer`."""
        user = {"id": answer.user_id, "status": answer.user_status}
        return cls.model_validate(
            {"user": user, **_list_fields(answer), **({"fresh_events": fresh_events} if fresh_events else {})}
        )


class BatchReply(Reply):
    """One answer per request of a batch, in their order."""

    answers: tuple[Recommendations, ...]

    @classmethod
    def of(cls, answers: Sequence[Answer], fresh_events: Sequence[int], *, model_version: str) -> Self:
        """The reply that carries `answers`."""
        each = zip(answers, fresh_events, strict=True)
        return cls(
            model_version=model_version,
            answers=tuple(Recommendations.of(answer, fresh_events=n) for answer, n in each),
        )


class PageItem(BaseModel):
    """The item that a row is about."""

    model_config = ConfigDict(frozen=True)

    item_id: str
    title: str | None = Field(None, description="left out if unknown")


class PageRowReply(BaseModel):
    """One row of a page, best first."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    recommendation_id: str = Field(description="name of this list, to be sent with the events that it leads to")
    index: int = Field(description="its place in the layout, from 0")
    kind: RowKind
    title: str = Field(description="heading")
    item: PageItem | None = Field(None, description="the item that the row is about, if it is about one")
    items: tuple[Ranked, ...]
    requested: Requested
    returned: Returned
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, row: PageRow) -> Self:
        """The reply that carries `row`."""
        about = None if row.about is None else PageItem(item_id=row.about.item_id, title=row.about.title)
        return cls(
            recommendation_id=row.answer.recommendation_id,
            index=row.place,
            kind=row.kind,
            title=row.title,
            item=about,
            items=row.answer.items,
            requested=row.answer.requested,
            returned=len(row.answer.items),
            warnings=row.answer.warnings,
        )


class PageReply(Reply):
    """The rows of a page, from top to bottom; no item stands on it twice."""

    rows: tuple[PageRowReply, ...]
    warnings: tuple[str, ...] = Field(description="rows that are left out because they are empty, and why")
    fresh_events: FreshEvents = None

    @classmethod
    def of(cls, page: PageAnswer, *, model_version: str, fresh_events: int = 0) -> Self:
        """The reply that carries `page`."""
        rows = tuple(map(PageRowReply.of, page.rows))
        return cls(model_version=model_version, rows=rows, warnings=page.warnings, fresh_events=fresh_events or None)


class RankedCandidates(ListReply):
    """Candidates in a user's order: scored ones first, then known ones without a score, then unknown ones."""

    user: User
    items: tuple[Candidate, ...]
    returned: int
    warnings: tuple[str, ...]
    unknown_items: UnknownItems = None
    fresh_events: FreshEvents = None

    @classmethod
    def of(cls, answer: CandidateAnswer, *, fresh_events: int = 0) -> Self:
        """The reply that carries `answer`."""
        return cls(
            model_version=answer.model_version,
            recommendation_id=answer.recommendation_id,
            arm=answer.arm,
            user=User(id=answer.user_id, status=answer.user_status),
            items=answer.items,
            returned=len(answer.items),
            warnings=answer.warnings,
            unknown_items=answer.unknown_items or None,
            fresh_events=fresh_events or None,
        )


class SimilarUsers(ListReply):
    """The most similar users, nearest first; never the user."""

    user: UserRef
    users: tuple[RankedUser, ...]
    requested: Requested
    returned: Returned
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, answer: UserAnswer) -> Self:
        """The reply that carries `answer`."""
        return cls(
            model_version=answer.model_version,
            recommendation_id=answer.recommendation_id,
            arm=answer.arm,
            user=UserRef(id=answer.user_id),
            users=answer.users,
            requested=answer.requested,
            returned=len(answer.users),
            warnings=answer.warnings,
        )


class SimilarItems(ListReply):
    """An item's nearest neighbours, best first; never the item itself."""

    item: ItemRef
    items: tuple[Ranked, ...]
    requested: Requested
    returned: Returned
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, item_id: str, answer: Answer) -> Self:
        """The reply that carries `answer`."""
        return cls.model_validate({"item": {"id": item_id}, **_list_fields(answer)})


class ItemsSimilarToSeveral(ListReply):
    """Items similar to `positive` and dissimilar to `negative`, best first; none of these."""

    positive: tuple[str, ...]
    negative: tuple[str, ...]
    items: tuple[Ranked, ...]
    requested: Requested
    returned: Returned
    warnings: tuple[str, ...]
    unknown_items: UnknownItems = None

    @classmethod
    def of(cls, positive: Sequence[str], negative: Sequence[str], answer: Answer) -> Self:
        """The reply that carries `answer`."""
        return cls.model_validate({"positive": tuple(positive), "negative": tuple(negative), **_list_fields(answer)})


class ItemsFound(ListReply):
    """Items found by words, best first."""

    items: tuple[Ranked, ...]
    requested: Requested
    returned: Returned
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, answer: Answer) -> Self:
        """The reply that carries `answer`."""
        return cls.model_validate(_list_fields(answer))


class ItemDescription(BaseModel):
    """What is known of one item."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    item_id: str
    title: str | None = Field(None, description="left out if unknown")
    attributes: Mapping[str, object]
    n_users: int = Field(description="number of its users in the training data")
    has_vector: bool = Field(
        description="whether it has a vector, learned from its users or made from what is known of it; without one "
        "it is never recommended and has no similar items by behaviour"
    )
    new: Literal[True] | None = Field(
        None, description="true if it has no users in the training data, and a vector all the same; else left out"
    )


class ItemReply(ItemDescription, Reply):
    """What is known of one item."""

    @classmethod
    def of(cls, view: ItemView, *, model_version: str) -> Self:
        """The reply that carries `view`."""
        return cls(model_version=model_version, **vars(view))


class ForgottenItem(Reply):
    """A posted item that is listed no longer."""

    item_id: str


class RefusedUpdate(BaseModel):
    """An update that was not made."""

    model_config = ConfigDict(frozen=True)

    index: int = Field(description="its place in the request, from 0")
    code: Literal["unknown_item"] = "unknown_item"


class ItemsUpdated(Reply):
    """What became of several updates."""

    updated: int = Field(description="updates that were made")
    refused: tuple[RefusedUpdate, ...]


class ItemsReply(Reply):
    """What is known of several items, in the order asked, each once."""

    items: tuple[ItemDescription, ...]
    unknown_items: UnknownItems = None

    @classmethod
    def of(cls, views: Sequence[ItemView], unknown: tuple[str, ...], *, model_version: str) -> Self:
        """The reply that carries `views`, and the unknown ids."""
        items = tuple(ItemDescription(**vars(view)) for view in views)
        return cls(model_version=model_version, items=items, unknown_items=unknown or None)


class MapReply(Reply):
    """A page of the map of the items, those with the most users first."""

    items: tuple[Place, ...]
    offset: int = Field(description="items that were passed over")
    n_items: int = Field(description="items with a place, on all pages")
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, page: MapPage, *, offset: int) -> Self:
        """The reply that carries `page`."""
        return cls(offset=offset, **vars(page))


class RunningExperiment(BaseModel):
    """The experiment that splits users now."""

    model_config = ConfigDict(frozen=True)

    name: str
    started_at: str = Field(description="ISO 8601, UTC")
    share: float = Field(description="of the users that are in treatment")
    arms: Mapping[ArmName, str] = Field(description="the version that each arm serves, or `popular`")


class ModelReply(Reply):
    """The version that serves. Numbers that could not be measured are null."""

    created_at: str = Field(description="when the version was sealed, ISO 8601, UTC")
    age_seconds: float = Field(description="time since then")
    newest_event: str | None = Field(
        None, description="when the log that it was trained on ends, ISO 8601, UTC; left out if the log has no times"
    )
    config: Mapping[str, object] = Field(description="the settings it was prepared, evaluated and trained with")
    metrics: Mapping[str, object] = Field(description="as evaluated before it was published")
    index: Mapping[str, object] = Field(description="how items are searched, and how exactly")
    counts: Mapping[str, object] = Field(
        description="users, items and entries it was trained on; `folded_in_users` are served from their stored "
        "history, `fallback_users` of the log have none and get the most popular items"
    )
    verdict: str = Field(description="the gates' verdict before it was published")
    experiment: RunningExperiment | None = Field(None, description="left out if none runs")

    @classmethod
    def of(cls, manifest: Manifest, experiment: RunningExperiment | None = None) -> Self:
        """The reply that carries the public part of `manifest`, without the configuration's paths."""
        age = datetime.now(UTC) - datetime.fromisoformat(manifest.created_at)
        newest = newest_event_of(manifest)
        sections = {name: manifest.config[name] for name in PUBLIC_CONFIG if name in manifest.config}
        return cls(
            model_version=manifest.version,
            created_at=manifest.created_at,
            age_seconds=age.total_seconds(),
            **({} if newest is None else {"newest_event": newest.isoformat()}),
            config={name: _without_paths(section) for name, section in sections.items() if isinstance(section, dict)},
            metrics=manifest.metrics,
            index=manifest.index,
            counts=manifest.counts,
            verdict=manifest.verdict,
            **({} if experiment is None else {"experiment": experiment}),
        )


class EventsTaken(BaseModel):
    """What became of posted events: accepted + duplicates + refused are all of them."""

    model_config = ConfigDict(frozen=True)

    accepted: int = Field(description="events that are kept now and were not before")
    duplicates: int = Field(description="events that had been kept already, by their `event_id`")
    refused: tuple[RefusedEvent, ...] | None = Field(None, description="events not kept, and why; left out if none")
    unknown_items: int | None = Field(
        None, description="kept events of items that this version does not have as yet; left out if none"
    )


class KeptEventReply(BaseModel):
    """One event as it is kept."""

    model_config = ConfigDict(frozen=True)

    event_id: str | None = Field(None, description="left out if it has none")
    user_id: str | None = Field(None, description="left out if it came without one")
    session_id: str | None = Field(None, description="left out if it came without one")
    item_id: str
    event: str | None = Field(None, description="left out if its kind is unknown")
    value: float
    timestamp: float = Field(description="seconds since 1970")
    received_at: float = Field(description="when it came, seconds since 1970")
    recommendation_id: str | None = Field(None, description="left out if unknown")
    place: int | None = Field(None, description="left out if unknown")


class EventPage(BaseModel):
    """Kept events, the latest kept first."""

    model_config = ConfigDict(frozen=True)

    events: tuple[KeptEventReply, ...]
    next: int | None = Field(None, description="`before` of the next page; left out on the last one")

    @classmethod
    def of(cls, events: Sequence[KeptEvent], *, limit: int) -> Self:
        """The page that carries `events`, up to `limit` of which were asked for."""
        shown = tuple(KeptEventReply.model_validate(each._asdict()) for each in events)
        return cls(events=shown, next=events[-1].seq if len(events) == limit else None)


class MergedSession(BaseModel):
    """A session that belongs to a user."""

    model_config = ConfigDict(frozen=True)

    user_id: str
    session_id: str


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Ready(Reply):
    """A model is loaded and answers."""

    status: Literal["ready"] = "ready"
    warning: str | None = Field(
        None, description="why another version serves than the store says, or an experiment that runs is not served"
    )


class StoresReady(BaseModel):
    """Every store that has versions serves one."""

    model_config = ConfigDict(frozen=True)

    status: Literal["ready"] = "ready"
    stores: Mapping[str, str] = Field(description="the version that serves, by store")
    waiting: tuple[str, ...] = Field(description="stores to which nothing has been published yet")
    warnings: Mapping[str, str] | None = Field(None, description="by store, as of a single one")


class Serving(Reply):
    """The version that serves now."""


def _list_fields(answer: Answer) -> dict[str, object]:
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


def _without_paths(section: Mapping[str, object]) -> dict[str, object]:
    return {
        name: value
        for name, value in section.items()
        if not name.endswith(_PLACES) and not name.startswith("holdout_")
    }
