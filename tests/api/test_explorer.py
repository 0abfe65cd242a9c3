"""The explorer's pages and data: small, strict, and nothing in them that a key protects."""

import json
import re
import struct
from pathlib import Path

import httpx
import numpy as np
import pytest

import recsys.evaluation.reporting
from api.explorer.files import FOLDER, POLICY, page_files
from api.settings import Settings
from recsys.event_store.database import open_database

KEY = {"Authorization": "Bearer correct horse battery"}
PAGES = ("/", "/explore", "/docs")


@pytest.fixture(scope="module")
def own_store(tmp_path_factory, publish) -> tuple[Path, str, str]:
    """A store with two versions, the second of which serves."""
    folder = tmp_path_factory.mktemp("explorer") / "store"
    return folder, publish(folder, seed=1), publish(folder, seed=2)


@pytest.fixture(scope="module")
def guarded(started, own_store):
    return started(Settings(store=own_store[0], admin_key="correct horse battery"))


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_html_under_a_strict_policy(service, path):
    reply = service.get(path)
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["content-security-policy"] == POLICY
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "unsafe" not in POLICY


@pytest.mark.parametrize("name", [name for name in page_files() if name.endswith(".html")])
def test_pages_have_nothing_inline_and_nothing_from_elsewhere(name):
    text = (FOLDER / name).read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<base", text)
    assert all(re.search(r"src=", tag) for tag in re.findall(r"<script[^>]*>", text))
    assert not re.search(r"""(src|href)=["'](https?:)?//""", text)


def test_files_name_no_other_host():
    for name, file in page_files().items():
        hosts = set(re.findall(rb"https?://([\w.-]+)", file.content))
        assert hosts <= {b"www.w3.org"}, name  # the namespace of SVG


def test_all_files_together_are_small(service):
    """150 kB is the promise for the first view; all views and the page of requests together keep it."""
    assert sum(len(file.content) for file in page_files().values()) < 150_000


def test_every_file_that_a_file_names_is_there(service):
    for name, file in page_files().items():
        text = file.content.decode()
        if name.endswith(".html"):
            named = [each.removeprefix("explore/") for each in re.findall(r'(?:src|href)="(explore/[^"]+)"', text)]
        else:
            here = Path(name).parent
            named = [
                str((FOLDER / here / each).resolve().relative_to(FOLDER))
                for each in re.findall(r'from "(\.[^"]+)"', text)
            ]
        assert set(named) <= set(page_files()), name


def test_a_file_is_sent_again_only_if_it_changed(service):
    first = service.get("/explore/app.js")
    assert first.headers["content-type"] == "text/javascript; charset=utf-8"
    again = service.get("/explore/app.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert service.get("/explore/app.js", headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize("name", ["none.js", "..%2Ffiles.py", "../files.py", "views", "", "static/app.js"])
def test_only_the_files_are_served(service, name):
    assert service.get(f"/explore/{name}").status_code == 404


def test_programs_that_want_json_get_json(service):
    reply = service.get("/", headers={"Accept": "application/json"})
    assert reply.json()["openapi"] == "openapi.json"
    assert reply.json()["service"] == "recsys"


def test_the_explorer_can_be_switched_off(start, store):
    service = start(Settings(store=store, explorer="off"))
    reply = service.get("/")
    assert (reply.status_code, reply.headers["location"]) == (307, "/docs")
    assert service.get("/docs").status_code == 200
    for path in ("/explore", "/v1/explorer/start", "/v1/explorer/map", "/v1/explorer/versions"):
        assert service.get(path).status_code == 404


def test_the_start_shows_items_users_and_what_can_be_filtered_by(service):
    start = service.get("/v1/explorer/start").json()
    assert start["n_items"] == 10
    assert {"item_id": "dune", "title": "Dune", "n_users": 3} in start["items"]
    assert set(start["users"]) <= {"ada", "bob", "cem", "dee", "eve", "u/v", "Zoë", "gus"}
    assert start["attributes"] == [{"name": "price", "kind": "number", "examples": ["9.5"]}]
    assert (start["has_map"], start["has_content"]) == (True, True)


def test_ids_of_people_need_the_key_if_there_is_one(guarded, own_store):
    assert guarded.get("/v1/explorer/start").json()["users"] == []
    assert guarded.get("/v1/explorer/start", headers=KEY).json()["users"]
    for path in (
        "/v1/explorer/versions",
        "/v1/explorer/report",
        f"/v1/explorer/versions/{own_store[1]}/list?user_id=ada",
    ):
        assert guarded.get(path).status_code == 401
    assert guarded.get("/v1/explorer/versions", headers=KEY).status_code == 200


def unpacked(content: bytes) -> tuple[dict, np.ndarray, np.ndarray, np.ndarray]:
    (length,) = struct.unpack("<I", content[:4])
    header, at = json.loads(content[4 : 4 + length]), 4 + length
    n = header["n"]
    users = np.frombuffer(content, "<u4", n, at)
    places = np.frombuffer(content, "<u2", 2 * n, at + 4 * n).reshape(-1, 2)
    group = np.frombuffer(content, np.uint8, n, at + 8 * n)
    assert at % 4 == 0
    assert len(content) == at + 9 * n
    return header, users, places, group


def test_the_map_has_the_places_of_the_documented_one(service):
    header, users, places, group = unpacked(service.get("/v1/explorer/map").content)
    told = service.get("/v1/map").json()["items"]
    assert header["n"] == header["n_items"] == len(told) == 10
    assert np.abs(places / 65_535 * 2 - 1 - np.array([[item["x"], item["y"]] for item in told])).max() < 1e-4
    assert users.tolist() == sorted(users.tolist(), reverse=True)
    assert group.max() < len(header["groups"])


def test_the_map_is_coloured_by_what_is_asked_for(service):
    header, _, _, group = unpacked(service.get("/v1/explorer/map?by=price").content)
    assert (header["coloured_by"], header["groups"]) == ("price", ["unknown", "9.5"])
    assert np.bincount(group).tolist() == [1, 9]  # ubik has no price
    assert service.get("/v1/explorer/map?by=colour").status_code == 422


def test_points_and_items_know_each_other(service):
    order = [item["item_id"] for item in service.get("/v1/map").json()["items"]]
    body = {"item_ids": [order[3], "nothing", order[0]], "numbers": [2, 99]}
    reply = service.send("POST", "/v1/explorer/places", json=body).json()
    assert reply["numbers"] == [3, None, 0]
    assert [item["item_id"] for item in reply["items"]] == [order[2]]


def test_versions_are_listed_and_compared(guarded, own_store):
    _, first, second = own_store
    told = guarded.get("/v1/explorer/versions", headers=KEY).json()
    assert ([each["version"] for each in told["versions"]], told["serving"]) == ([second, first], second)
    lists = {
        version: guarded.get(f"/v1/explorer/versions/{version}/list?user_id=ada&k=3", headers=KEY).json()
        for version in (first, second)
    }
    assert {version: each["user"]["status"] for version, each in lists.items()} == {first: "known", second: "known"}
    own = guarded.get("/v1/users/ada/recommendations?k=3").json()
    assert [item["item_id"] for item in lists[second]["items"]] == [item["item_id"] for item in own["items"]]


def test_a_comparison_is_neither_counted_nor_kept(guarded, own_store):
    def lists() -> float:
        text = guarded.get("/metrics").text
        return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith("recsys_lists_total"))

    before = lists()
    guarded.get(f"/v1/explorer/versions/{own_store[1]}/list?user_id=ada", headers=KEY)
    assert lists() == before


def test_a_version_that_there_is_not_is_refused(guarded):
    for version in ("v0123456789abcdef", "nonsense", "..%2F..%2Fetc"):
        reply = guarded.get(f"/v1/explorer/versions/{version}/list?user_id=ada", headers=KEY)
        assert (reply.status_code, reply.json()["code"]) == (409, "store_refused")


def test_one_other_version_is_loaded_at_most(own_store, publish, tmp_path, start):
    versions = [publish(tmp_path / "store", seed=seed) for seed in (1, 2, 3)]
    service = start(Settings(store=tmp_path / "store"))
    for version in versions[:2]:
        service.get(f"/v1/explorer/versions/{version}/list?user_id=ada")
    (held,) = service.app.state.other_versions.values()
    assert held.loaded == versions[1]


def test_a_card_without_a_report_is_empty(service):
    assert service.get("/v1/explorer/card").json() == {}
    assert service.get("/v1/explorer/report").status_code == 404


def test_stores_with_names_have_an_explorer_each(start, store):
    service = start(Settings(store=f"shop={store},blog={store}"))
    assert service.get("/explore/settings.json").json()["stores"] == ["shop", "blog"]
    assert service.get("/v1/shop/explorer/start").json()["n_items"] == 10
    assert service.get("/v1/explorer/start").status_code == 404


def test_a_preview_is_no_impression(start, store, tmp_path):
    """Whoever looks at the model is not somebody to whom something was shown."""
    service = start(Settings(store=store, events=str(tmp_path / "events.db")))

    service.get("/v1/users/ada/recommendations", headers={"X-Preview": "true"})
    service.get("/v1/users/bob/recommendations")
    service.stop()  # writes what waits
    with open_database(tmp_path / "events.db").read() as queries:
        assert [*queries.fetch("SELECT user_id FROM impressions")] == [("bob",)]


def test_settings_hold_no_secret(guarded):
    reply: httpx.Response = guarded.get("/explore/settings.json")
    assert "horse" not in reply.text
    assert reply.json()["operators"] == [""]


def test_the_pages_and_the_report_have_the_same_colours():
    report = Path(recsys.evaluation.reporting.__file__).parent / "report.css"

    def colours(text: str) -> list[dict[str, str]]:
        """Light and dark, in that order: the first two blocks that set them, but for print."""
        blocks = [
            dict(re.findall(r"--([\w-]+): (#\w+);", block))
            for block in re.findall(r"\{([^{}]*--paper[^{}]*)\}", text)
        ]
        return blocks[:2]

    own = colours((FOLDER / "tokens.css").read_text("utf-8"))
    for of_report, of_pages in zip(colours(report.read_text("utf-8")), own, strict=True):
        assert len(of_report) > 10
        assert of_report.items() <= of_pages.items()


def test_both_ways_to_the_dark_have_the_same_colours():
    blocks = re.findall(r"\{([^{}]*--paper[^{}]*)\}", (FOLDER / "tokens.css").read_text("utf-8"))
    assert len(blocks) == 3
    assert blocks[1].split() == blocks[2].split()
