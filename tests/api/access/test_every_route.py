"""Every route of the document: 401 without a key, 403 with each lesser scope, an answer with the right one."""

import json
import re
import shutil
from types import SimpleNamespace

import pytest
from fastapi import APIRouter

from api.access.requires import is_guarded, requirements_of
from api.settings import Settings
from recsys.api_keys.records import Scope

EXPECTED = {
    "/v1/events": {"post": "events", "get": "admin"},
    "/v1/users/{user_id}:merge": {"post": "events"},
    "/v1/users:find": {"get": "admin"},
    "/v1/items/{item_id}": {"get": "read", "put": "admin", "patch": "admin", "delete": "admin"},
    "/v1/items:update": {"post": "admin"},
    "/v1/users/{user_id}": {"delete": "admin"},
    "/v1/users/{user_id}/data": {"get": "admin"},
    "/metrics": {"get": "metrics"},
}
"""Scopes of the routes that do more than read; all others below /v1 need `read`, those below /admin `admin`."""
VALUES = {"user_id": "ada", "item_id": "dune", "version": "v0123456789abcdef", "name": "x"}


@pytest.fixture(scope="module")
def guarded(started, store, module_keys, tmp_path_factory):
    """A service of which everything that can be behind a key is."""
    folder = tmp_path_factory.mktemp("guarded")
    for scope in Scope:
        module_keys.add(scope.value, scope.value)
    shop = shutil.copytree(store, folder / "store")
    service = started(
        Settings(
            store=shop,
            keys=str(module_keys.path),
            events=folder / "events.db",
            protect="metrics,docs",
            poll_seconds=3600,
        )
    )
    document = service.get("/openapi.json", headers=module_keys.header("read")).json()
    return SimpleNamespace(service=service, keys=module_keys, document=document)


def operations(document):
    for path, of_path in document["paths"].items():
        for method, operation in of_path.items():
            yield method, path, operation


def send(guarded, method, path, operation, headers):
    target = re.sub(r"\{(\w+)\}", lambda name: VALUES.get(name[1], "x"), path)
    body = operation.get("requestBody")
    content = None if body is None else json.dumps(body["content"]["application/json"].get("example", {}))
    return guarded.service.send(method.upper(), target, headers=headers, content=content)


def needed(method, path):
    method = "get" if method == "head" else method
    return EXPECTED.get(path, {}).get(method, "admin" if path.startswith("/admin") else "read")


def test_the_document_names_the_scope_of_every_operation(guarded):
    named = 0
    for method, path, operation in operations(guarded.document):
        if is_guarded(path) or path == "/metrics":
            assert operation["security"] == [{"api_key": [needed(method, path)]}], (method, path)
            named += 1
        else:
            assert "security" not in operation, (method, path)
    assert named >= 35


def test_every_operation_refuses_all_but_the_right_keys(guarded):
    tried = 0
    for method, path, operation in operations(guarded.document):
        if "security" not in operation:
            continue
        (scope,) = operation["security"][0]["api_key"]
        refused = send(guarded, method, path, operation, {})
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer"), (method, path)
        wrong = send(guarded, method, path, operation, {"Authorization": f"Bearer recsys_{'0' * 49}"})
        assert wrong.status_code in {401, 429}, (method, path)
        for name in Scope:
            reply = send(guarded, method, path, operation, guarded.keys.header(name))
            if name in (scope, Scope.ADMIN):
                assert reply.status_code not in {401, 403, 429}, (method, path, name)
            else:
                assert reply.status_code == 403, (method, path, name)
                assert f'scope="{scope}"' in reply.headers["www-authenticate"]
                if method != "head":
                    assert f"lacks the scope {scope}" in reply.json()["detail"]
            tried += 1
    assert tried >= 140


def test_probes_stay_open(guarded):
    for path in ("/livez", "/readyz"):
        assert guarded.service.get(path).status_code == 200
        assert guarded.service.send("HEAD", path).status_code == 200


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/metrics"])
def test_pages_that_are_protected_need_a_key(guarded, path):
    assert guarded.service.get(path).status_code == 401
    lesser = guarded.keys.header("events")
    assert guarded.service.get(path, headers=lesser).status_code == 403
    assert guarded.service.get(path, headers=guarded.keys.header("admin")).status_code == 200


def test_pages_are_open_if_they_are_not_protected(start, store, keys):
    keys.add("shop", "read")
    service = start(Settings(store=store, keys=str(keys.path)))
    for path in ("/docs", "/openapi.json", "/metrics"):
        assert service.get(path).status_code == 200
    assert service.get("/v1/model").status_code == 401


def test_a_route_that_says_nothing_cannot_be_served():
    router = APIRouter()
    router.add_api_route("/v1/forgotten", lambda: None)
    with pytest.raises(RuntimeError, match="/v1/forgotten"):
        requirements_of(router.routes)
