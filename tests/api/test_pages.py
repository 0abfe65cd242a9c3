"""Pages over HTTP: rows of the request or of a scenario, which follows its file."""

import logging
import os
import shutil

import pytest

from api.settings import Settings

ROWS = [{"kind": "for_you", "k": 2}, {"kind": "because", "k": 1}, {"kind": "popular", "title": "All", "k": 2}]
HOME = '[scenarios.home]\nrows = [{kind = "for_you", k = 1}, {kind = "new"}]\n'


@pytest.fixture
def shop(store, tmp_path):
    return shutil.copytree(store, tmp_path / "store")


@pytest.fixture
def own(start, shop):
    return start(Settings(store=shop))


def page(service, **body):
    return service.send("POST", "/v1/pages", json=body)


def write(shop, text, at):
    (shop / "scenarios.toml").write_text(text)
    os.utime(shop / "scenarios.toml", ns=(at, at))


def test_rows_of_the_request(service):
    reply = page(service, user_id="bob", rows=ROWS, exclude_seen=False, fields=["price"])
    rows = reply.json()["rows"]
    assert [(row["index"], row["kind"], row["returned"]) for row in rows] == [
        (0, "for_you", 2), (1, "because", 1), (2, "popular", 2),
    ]  # fmt: skip
    assert rows[2]["title"] == "All"
    listed = [item["item_id"] for row in rows for item in row["items"]]
    assert len(set(listed)) == len(listed) == 5
    assert len({row["recommendation_id"] for row in rows}) == 3
    assert rows[1]["item"]["item_id"] in rows[1]["title"] or rows[1]["item"]["title"] in rows[1]["title"]


@pytest.mark.parametrize(
    "body",
    [
        {"user_id": "ada"},
        {"rows": []},
        {"rows": ROWS, "scenario": "home"},
        {"rows": [{"kind": "foryou"}]},
        {"rows": [{"kind": "new", "ks": 3}]},
        {"rows": [{"kind": "popular", "filter": "colour = 'red'"}]},
        {"rows": [{"kind": "new"}] * 21},
    ],
)
def test_what_is_no_page_is_refused(service, body):
    reply = page(service, **body)
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_request")
    assert "colour" not in reply.text


def test_a_scenario_follows_its_file(own, shop, caplog):
    assert page(own, user_id="ada", scenario="home").json()["code"] == "unknown_scenario"
    write(shop, HOME, 1)
    found = page(own, user_id="ada", scenario="home").json()
    assert [row["kind"] for row in found["rows"]] == ["for_you"]
    assert found["warnings"] == ["row 1 (new) is empty and left out: this version has no new items"]
    write(shop, HOME.replace("k = 1", "k = -1"), 2)
    with caplog.at_level(logging.ERROR):
        for _ in range(2):
            assert page(own, user_id="ada", scenario="home").json()["rows"][0]["requested"] == 1
    (line,) = [it.getMessage() for it in caplog.records if it.name == "api.stores.scenario_file"]
    assert "scenarios.home.rows.0.k: got -1; expected greater than or equal to 1" in line
    write(shop, HOME.replace("[{kind", "[{k = 2, kind").replace(", k = 1", "") + "keep_empty = true\n", 3)
    again = page(own, user_id="ada", scenario="home").json()
    assert [(row["kind"], row["requested"]) for row in again["rows"]] == [("for_you", 2), ("new", 10)]


def test_the_item_of_the_page_is_listed_by_no_row(own, shop):
    write(shop, '[scenarios.product]\nrows = [{kind = "similar", k = 3}, {kind = "popular", k = 9}]\n', 1)
    found = page(own, scenario="product", item_id="dune").json()
    assert found["rows"][0]["title"] == "Similar to Dune"
    assert found["rows"][0]["item"] == {"item_id": "dune", "title": "Dune"}
    assert "dune" not in {item["item_id"] for row in found["rows"] for item in row["items"]}
