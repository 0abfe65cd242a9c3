"""Routes of the pages: `/`, `/explore`, `/docs` and their files. They hold no data, so they need no key."""

import json
from importlib.metadata import version

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse

from api.access.key_source import KeySource
from api.explorer.files import page_files
from api.settings import Settings
from api.stores.served_store import ServedStores


def router_of(settings: Settings, stores: ServedStores, keys: KeySource) -> APIRouter:
    """The pages; without the explorer only `/docs`, to which `/` then leads."""
    router, files = APIRouter(include_in_schema=False), page_files()
    about = {"service": "recsys", "release": version("recsys"), "docs": "docs", "openapi": "openapi.json"}
    shown = {
        **about,
        "stores": list(stores.by_name) if stores.are_named else [],
        "operators": [name for name in stores.by_name if keys.has_operator(name)],
        "keys": keys.are_required,
        "events": stores.have_events,
        "operations": settings.operations_port is not None,
        "explorer": settings.explorer,
    }
    settings_json = Response(json.dumps(shown), media_type="application/json", headers={"Cache-Control": "no-cache"})

    @router.get("/docs")
    async def get_docs(request: Request) -> Response:
        """Every route, with a form to try it."""
        return files["docs.html"].response(request)

    @router.get("/explore/{name:path}")
    async def get_file(request: Request, name: str) -> Response:
        """One file of the pages."""
        if name == "settings.json":
            return settings_json
        if name not in files:
            raise HTTPException(404)
        return files[name].response(request)

    async def get_explorer(request: Request) -> Response:
        """The page for people; for programs what this is."""
        accept = request.headers.get("Accept", "*/*")
        if "application/json" in accept and "text/html" not in accept:
            return JSONResponse(about)
        return files["index.html"].response(request)

    async def go_to_docs(request: Request) -> Response:
        return RedirectResponse(f"{request.scope['root_path']}/docs")

    if settings.explorer == "on":
        router.add_api_route("/", get_explorer)
        router.add_api_route("/explore", get_explorer)
    else:
        router.add_api_route("/", go_to_docs)
    return router
