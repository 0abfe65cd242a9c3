"""docs/api.md and docs/service.md say what is so."""

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from api.errors import KINDS, Code
from api.settings import settings_table

DOCS = Path(__file__).parents[2] / "docs"
TEXT, SERVICE = ((DOCS / name).read_text(encoding="utf-8") for name in ("api.md", "service.md"))
CURLS = re.findall(r"^\$ curl 'http://localhost:8000(\S+)'(?: --json '(.*)')?$", TEXT, re.MULTILINE)
ROUTES = re.findall(r"^### (GET|POST) (\S+)$", TEXT, re.MULTILINE)


def test_every_route_is_documented_and_every_documented_route_exists(service):
    paths = service.get("/openapi.json").json()["paths"]
    real = [(method.upper(), path) for path, methods in paths.items() for method in methods if method != "head"]
    assert sorted(ROUTES) == sorted(real)


def test_every_route_has_an_example():
    for method, route in ROUTES:
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(route))
        of_method = [path for path, body in CURLS if bool(body) == (method == "POST")]
        assert any(re.fullmatch(pattern, path.split("?")[0]) for path in of_method), route


@pytest.mark.parametrize(("path", "body"), CURLS)
def test_every_example_answers(service, path, body):
    reply = service.send("POST", path, content=body) if body else service.get(path)
    assert reply.status_code == 200
    assert reply.text if path == "/metrics" else reply.json()


def test_every_line_with_curl_is_tested():
    assert len(CURLS) == TEXT.count("curl ")


def test_the_example_list_has_the_shape_of_a_real_one(service):
    documented = json.loads(re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)[0])
    real = service.get("/v1/users/ada/recommendations?k=7").json()
    assert list(documented) == list(real)
    assert list(documented["user"]) == list(real["user"])
    by_title = {"title" in item: list(item) for item in real["items"]}
    for item in documented["items"]:
        assert list(item) == by_title["title" in item]


def test_the_example_with_reasons_has_the_shape_of_a_real_one(service):
    documented = json.loads(re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)[1])
    (asked,) = [body for _, body in CURLS if "explain" in body]
    real = service.send("POST", "/v1/recommendations", content=asked).json()
    assert list(documented) == list(real)
    assert documented["user"] == real["user"]
    for item, expected in zip(documented["items"], real["items"], strict=True):
        assert item.keys() == expected.keys()
        assert {reason["item_id"] for reason in item["reasons"]} == {"dune", "ubik"}
        assert [list(reason) for reason in sorted(item["reasons"], key=str)] == [
            list(reason) for reason in sorted(expected["reasons"], key=str)
        ]
        assert sum(reason["contribution"] for reason in item["reasons"]) + item["rest"] == pytest.approx(
            item["score"]
        )


def test_the_example_problem_is_real(service):
    documented = json.loads(re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)[2])
    real = service.get("/v1/items/none").json()
    assert documented | {"request_id": ""} == real | {"request_id": ""}


def test_every_code_is_documented():
    documented = re.findall(r"^\| `(\w+)` \| (\d{3}) \|", TEXT, re.MULTILINE)
    assert sorted(documented) == sorted((kind.code, str(kind.status)) for kind in KINDS)
    assert {kind.code for kind in KINDS} == set(get_args(Code))


def test_the_table_of_settings_is_that_of_the_code():
    assert settings_table() in SERVICE
