"""`recsys doctor CONFIG`: what prepare and evaluate would fail on, and that green means that they pass."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import redis

GIVEN = 'evaluate.split="given"'


def _rename(path: Path, old: str, new: str) -> None:
    """Give a column of a CSV file another name."""
    header, rest = path.read_bytes().split(b"\n", 1)
    path.write_bytes(header.replace(old.encode(), new.encode()) + b"\n" + rest)


def _nothing(shop: Path) -> None:
    """The shop as it is."""


def _last_file_lacks_a_column(shop: Path) -> None:
    _rename(sorted((shop.parent / "events").iterdir())[-1], "item_id", "product")


def _other_ids_in_the_catalogue(shop: Path) -> None:
    path = shop.parent / "items.csv"
    header, *rows = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([header, *(f"x-{row}" for row in rows)]) + "\n", encoding="utf-8")


def _a_holdout_without_items(shop: Path) -> None:
    (shop.parent / "held.csv").write_text("user_id,timestamp,event,quantity\nu,2026-01-01,view,1\n", encoding="utf-8")


def _a_file_for_a_store(shop: Path) -> None:
    (shop.parent / "store").write_text("in the way")


def _a_damaged_pointer(shop: Path) -> None:
    (shop.parent / "store").mkdir()
    (shop.parent / "store" / "CURRENT").write_text("nonsense\n")


FAULTS = {
    "an unknown baseline": (_nothing, ['evaluate.baselines=["popular", "itemknn"]'], "settings", "did you mean"),
    "a metric of no cut-off": (_nothing, ["publish.metric=ndcg@7"], "settings", "evaluate.cutoffs"),
    "an unknown kind of event": (_nothing, ["log.event_weights.cart=1", "log.event=genre"], "columns", "'genre'"),
    "kinds without a weight": (_nothing, ["log.event_weights={ purchase = 1.0 }"], "log", "unknown_event"),
    "no catalogue": (_nothing, ["items.path=nowhere.csv"], "catalogue", "nowhere.csv"),
    "no id column": (_nothing, ["items.id=sku"], "catalogue", "'sku'"),
    "no attribute": (_nothing, ['items.attributes=["colour"]'], "catalogue", "'colour'"),
    "foreign ids": (_other_ids_in_the_catalogue, [], "catalogue", "is in the log"),
    "the last file": (_last_file_lacks_a_column, [], "columns", "'item_id'"),
    "no file of the log": (_nothing, ['log.paths=["nowhere/*.csv"]'], "columns", "no file matches"),
    "a holdout of all": (_nothing, ["evaluate.holdout=9000d"], "split", "evaluate.holdout"),
    "too many last items": (_nothing, ["evaluate.split=last_n", "evaluate.last_n=500"], "split", "evaluate.last_n"),
    "nobody left": (_nothing, ["prepare.min_user_items=5000"], "log", "prepare.min_user_items"),
    "no item left": (_nothing, ["prepare.min_item_users=9000"], "log", "prepare.min_item_users"),
    "no holdout": (_nothing, [GIVEN, 'evaluate.holdout_paths=["no.csv"]'], "holdout files", "no.csv"),
    "a holdout's columns": (
        _a_holdout_without_items,
        [GIVEN, 'evaluate.holdout_paths=["held.csv"]'],
        "holdout files",
        "'item_id'",
    ),
    "a store that is a file": (_a_file_for_a_store, [], "folders", "publish.store"),
    "a damaged store": (_a_damaged_pointer, [], "store", "CURRENT"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_with_its_remedy(recsys: Any, shop: Path, name: str) -> None:
    plant, overrides, check, expected = FAULTS[name]
    plant(shop)
    options = [part for override in overrides for part in ("--set", override)]
    result = recsys("doctor", shop, "--json", *options)
    assert result.returncode == 2
    found = [each for each in json.loads(result.stdout)["checks"] if each["status"] == "problem"]
    assert {each["name"] for each in found} == {check}
    assert expected in found[0]["detail"]
    assert found[0]["remedy"]
    assert not list(shop.parent.glob(".doctor-*"))


@pytest.mark.parametrize(
    ("to", "code", "expected"),
    [("postgresql://127.0.0.1:1/shop", 2, "names no table"), ("postgresql://127.0.0.1:1/shop/recs", 4, "refused")],
)
def test_a_place_that_takes_no_lists_is_named(recsys: Any, shop: Path, to: str, code: int, expected: str) -> None:
    shop.write_text(f'{shop.read_text()}[export]\nto = "{to}"\n')
    result = recsys("doctor", shop, "--quick", "--json")
    (found,) = (each for each in json.loads(result.stdout)["checks"] if each["status"] == "problem")
    assert (result.returncode, found["name"]) == (code, "export")
    assert expected in found["detail"]


def test_places_are_tried_and_left_as_they_were(recsys: Any, shop: Path, redis_url: str) -> None:
    shop.write_text(f'{shop.read_text()}[[export]]\nto = "lists.csv"\n[[export]]\nto = "{redis_url}"\n')
    result = recsys("doctor", shop, "--quick")
    assert "the places of [export] take lists" in result.stdout
    assert not (shop.parent / "lists.csv").exists()
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0


def test_several_faults_are_named_at_once(recsys: Any, shop: Path) -> None:
    wrong = ["items.id=sku", 'evaluate.baselines=["popluar", "itemknn"]', "evaluate.holdout=9000d"]
    wrong.append("log.event_weights={ purchase = 1.0 }")
    shown = recsys("doctor", shop, *(part for override in wrong for part in ("--set", override))).stdout
    assert shown.count("FAIL") == shown.count("->") == 6  # most-popular is required as well
    assert "quarantine" not in shown
    assert shown.endswith("6 problems: a run would end with exit code 2\n")


def test_green_means_that_the_night_passes(recsys: Any, shop: Path) -> None:
    before = sorted(shop.parent.rglob("*"))
    (abandoned := shop.parent / ".doctor-killed").mkdir()
    os.utime(abandoned, (0, 0))
    result = recsys("doctor", shop, "--json")
    assert (result.returncode, json.loads(result.stdout)["fine"]) == (0, True)
    assert sorted(shop.parent.rglob("*")) == before
    for step in ("prepare", "evaluate"):
        assert recsys(step, shop).returncode == 0


def test_quick_says_what_it_did_not_check(recsys: Any, shop: Path) -> None:
    quick = json.loads(recsys("doctor", shop, "--quick", "--json").stdout)
    assert {each["name"] for each in quick["checks"] if each["status"] == "not checked"} == {"log", "split"}
    shown = recsys("doctor", shop, "--quick").stdout
    assert "kinds of event" in shown
    assert shown.endswith("no problem found; not checked: log, split\n")


def test_the_last_file_is_looked_at_before_the_first_is_read(recsys: Any, shop: Path) -> None:
    _last_file_lacks_a_column(shop)
    result = recsys("prepare", shop)
    assert result.returncode == 2
    assert "read:" not in result.stderr


def test_what_publish_would_refuse_is_known_before_the_night(recsys: Any, published: Path) -> None:
    catalogue = published.parent / "items.csv"
    catalogue.write_bytes(b"".join(catalogue.read_bytes().splitlines(keepends=True)[:11]))
    result = recsys("doctor", published, "--json")
    found = [each for each in json.loads(result.stdout)["checks"] if each["status"] == "problem"]
    assert result.returncode == recsys("run", published).returncode == 3
    assert {each["name"] for each in found} == {"night gates"}
    assert "items in the catalogue: 10" in found[0]["detail"]
    assert "--accept catalogue" in found[0]["remedy"]


def test_too_few_users_for_the_gates_are_known_before_the_night(recsys: Any, shop: Path) -> None:
    result = recsys("doctor", shop, "--json", "--set", "publish.min_users=299")
    found = [each for each in json.loads(result.stdout)["checks"] if each["status"] == "problem"]
    assert result.returncode == 3
    assert [each["name"] for each in found] == ["split"]
    assert "a gate needs 299 (publish.min_users)" in found[0]["detail"]
    off = recsys(
        "doctor", shop, "--json", "--set", "publish.min_users=299", "--set", "publish.must_beat_popular=false"
    )
    assert off.returncode == 0
