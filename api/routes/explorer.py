"""Data of the explorer: what its pages show beside the documented routes. For its own pages only: not in OpenAPI."""

import json
import logging
import struct
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field, TypeAdapter
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from api.access.caller import caller_of
from api.access.requires import requires
from api.explorer.files import REPORT_POLICY
from api.explorer.other_version import OtherVersion
from api.messages.body import Body, Id
from api.messages.queries import NoQuery, engine_of, path_id, query_of, store_of
from api.messages.reading import body_of
from api.messages.reply import json_response
from api.messages.user_replies import Recommendations
from api.stores.served_store import ServedStore
from recsys.api_keys.records import Scope
from recsys.artifacts.inventory import StoredVersion, take_inventory
from recsys.artifacts.manifest import REPORTS
from recsys.artifacts.registry import Registry
from recsys.artifacts.rewriting import shown_pages
from recsys.engine import Question
from recsys.engine.map_points import MapPoints
from recsys.engine.overview import Overview
from recsys.errors import ArtifactError

MAX_POINTS_TOLD = 200
"""The most items of the map that are named at once."""

_CARD = (
    "version",
    "outcome",
    "gates",
    "metric",
    "n_users",
    "models",
    "differences",
    "intervals",
    "split",
    "cleaning",
)

logger = logging.getLogger(__name__)

router = APIRouter(prefix="/v1/explorer", include_in_schema=False)
_may_read = [requires(Scope.READ)]
_may_see_people = [requires(Scope.ADMIN, or_no_operator=True)]


class MapColour(NoQuery):
    """By which attribute the map is coloured; if unset, by the one that explains most."""

    by: str | None = Field(None, max_length=256)


class PlacesBody(Body):
    """Items whose numbers on the map, or numbers whose items are wanted."""

    item_ids: list[Id] = Field([], max_length=1_000)
    numbers: list[Annotated[int, Field(ge=0)]] = Field([], max_length=MAX_POINTS_TOLD)


class ComparedQuery(NoQuery):
    """The query of a list of another version."""

    user_id: str = Field(min_length=1, max_length=256)
    k: int = Field(20, ge=1, le=100)


@router.get("/start", dependencies=_may_read)
async def get_start(request: Request) -> Response:
    """Popular items, attributes with examples, and, for whoever may see ids of people, some users."""
    query_of(request, NoQuery)
    overview = await engine_of(request).overview()
    if not _sees_people(request):
        overview = replace(overview, users=())
    plain = TypeAdapter(Overview).dump_json(overview, exclude_none=True)
    return Response(plain, media_type="application/json")


def _sees_people(request: Request) -> bool:
    caller = caller_of(request.scope)
    if not caller.has_operator:
        return True
    return caller.record is not None and caller.record.may(Scope.ADMIN)


@router.get("/map", dependencies=_may_read)
async def get_points(request: Request) -> Response:
    """All points: the length of a JSON header, the header, then places, users and groups, little-endian."""
    query, engine = query_of(request, MapColour), engine_of(request)
    points = await run_in_threadpool(engine.map.points, query.by)
    return Response(_packed(points), media_type="application/octet-stream")


def _packed(points: MapPoints) -> bytes:
    header = json.dumps(
        {
            "model_version": points.model_version,
            "n": len(points.places),
            "n_items": points.n_items,
            "coloured_by": points.coloured_by,
            "groups": points.groups,
            "attributes": points.attributes,
        }
    ).encode()
    header += b" " * (-len(header) % 4)
    arrays = (points.n_users.astype("<u4"), points.places.astype("<u2"), points.group)
    return b"".join((struct.pack("<I", len(header)), header, *(each.tobytes() for each in arrays)))


@router.post("/places", dependencies=_may_read)
async def get_places(request: Request) -> Response:
    """The numbers of items on the map, and what is known of the items of some numbers."""
    query_of(request, NoQuery)
    body, engine = await body_of(PlacesBody)(request), engine_of(request)
    numbers = await run_in_threadpool(engine.map.numbers, body.item_ids)
    views, _ = await run_in_threadpool(engine.items, engine.map.ids(body.numbers))
    items = [{"item_id": view.item_id, "title": view.title, "n_users": view.n_users} for view in views]
    return JSONResponse({"numbers": numbers, "items": items})


@router.get("/card", dependencies=_may_read)
async def get_card(request: Request) -> Response:
    """What the sealed report says of the version that serves: metrics with intervals, gates, the outcome."""
    query_of(request, NoQuery)
    report = await run_in_threadpool(_report, store_of(request), engine_of(request).version, "json")
    whole = {} if report is None else json.loads(report)
    return JSONResponse({name: whole[name] for name in _CARD if name in whole})


@router.get("/report", dependencies=_may_see_people)
async def get_report(request: Request) -> Response:
    """The evaluation report as a page. It may name users."""
    query_of(request, NoQuery)
    page = await run_in_threadpool(_report, store_of(request), engine_of(request).version, "html")
    if page is None:
        raise HTTPException(404)
    headers = {"Content-Security-Policy": REPORT_POLICY, "X-Content-Type-Options": "nosniff"}
    return Response(page, media_type="text/html", headers=headers)


def _report(store: ServedStore, version: str, form: str) -> str | None:
    try:
        return shown_pages(store.watch.registry.path(version), store.forgotten.now).get(REPORTS[form])
    except ArtifactError as error:  # a version that is removed while it serves has no files
        logger.warning("%s", error)
        return None


@router.get("/versions", dependencies=_may_see_people)
async def get_versions(request: Request) -> Response:
    """Every version of the store, the latest first."""
    query_of(request, NoQuery)
    store = store_of(request)
    found = await run_in_threadpool(take_inventory, Registry(store.folder))
    versions = [_told(each) for each in found.versions]
    return JSONResponse({"versions": versions, "serving": found.serving, "held": found.held})


def _told(stored: StoredVersion) -> dict[str, object]:
    manifest = stored.manifest
    if manifest is None:
        return {"version": stored.version, "is_damaged": True}
    return {
        "version": stored.version,
        "created_at": manifest.created_at,
        "metrics": manifest.metrics,
        "counts": manifest.counts,
        "verdict": manifest.verdict,
        "model": manifest.config.get("model"),
    }


@router.get("/versions/{version}/list", dependencies=_may_see_people)
async def get_list_of_version(request: Request) -> Response:
    """A user's list by any version of the store, neither counted nor kept."""
    version, query = path_id(request, "version"), query_of(request, ComparedQuery)
    engine = await _others(request).engine(version)
    answer = await engine.preview(Question(user_id=query.user_id, k=query.k))
    return json_response(Recommendations.of(answer))


def _others(request: Request) -> OtherVersion:
    """That of the request's store: made by the first request, in the event loop."""
    held: dict[str, OtherVersion] = request.app.state.other_versions
    store = store_of(request)
    return held.setdefault(store.name, OtherVersion(store))
