"""Keys that come, go and expire while the service runs, and files that are damaged."""

import logging
from datetime import UTC, datetime, timedelta

import pytest

from api.access.counters import SharedCounters
from api.access.guard import Guard
from api.access.key_source import KeySource, check_keys
from api.access.limiter import Limiter
from api.settings import Settings
from recsys.api_keys.editing import remove_key
from recsys.api_keys.key_text import new_key
from recsys.errors import ConfigError

SECOND = timedelta(seconds=1)


@pytest.fixture
def source(keys, tmp_path):
    """A source whose file has one key, shop."""
    keys.add("shop", "read")
    return KeySource(Settings(store=tmp_path, keys=str(keys.path)))


def knows(source, key):
    return source.keyring is not None and source.keyring.find(key) is not None


def test_a_new_key_is_good_and_a_revoked_one_is_not_without_a_restart(start, store, keys, monkeypatch):
    monkeypatch.setattr("api.access.key_source.WATCH_SECONDS", 0.01)
    shop = keys.add("shop", "read")
    service = start(Settings(store=store, keys=str(keys.path)))
    assert service.get("/v1/model", headers=shop).status_code == 200
    rotated = keys.add("shop-2", "read")
    until(service, rotated, 200)
    assert service.get("/v1/model", headers=shop).status_code == 200  # both, for as long as the change takes
    remove_key(keys.path, "shop")
    until(service, shop, 401)
    assert service.get("/v1/model", headers=rotated).status_code == 200
    remove_key(keys.path, "shop-2")
    until(service, rotated, 401)


def until(service, headers, status):
    for _ in range(500):
        if service.get("/v1/model", headers=headers).status_code == status:
            return
        service.wait(0.02)
    pytest.fail(f"not {status} within 10 s")


@pytest.mark.parametrize("damage", ["empty", "toml", "field", "gone", "folder", "bytes"])
def test_a_damaged_file_leaves_the_keys_as_they_are_and_says_so_once(source, keys, damage, caplog):
    sound = keys.path.read_bytes()
    keys.path.unlink()
    if damage == "folder":
        keys.path.mkdir()
    elif damage != "gone":
        damaged = {"empty": b"", "toml": sound[:-30], "field": sound.replace(b"read", b"root"), "bytes": b"\xff"}
        keys.path.write_bytes(damaged[damage])
    with caplog.at_level(logging.ERROR):
        source.refresh()
        source.refresh()
    assert knows(source, keys.by_name["shop"])
    (record,) = caplog.records
    assert f"{keys.path}: " in record.getMessage()
    assert record.getMessage().endswith("; the keys before stay good")


def test_a_file_without_keys_takes_the_last_one_away(source, keys):
    remove_key(keys.path, "shop")
    source.refresh()
    assert not knows(source, keys.by_name["shop"])


def test_a_worker_that_starts_on_a_damaged_file_answers_503_until_it_is_mended(start, store, keys):
    keys.add("shop", "read")
    sound = keys.path.read_bytes()
    keys.path.write_bytes(sound[:-30])
    service = start(Settings(store=store, keys=str(keys.path), poll_seconds=3600))
    reply = service.get("/v1/model", headers=keys.header("shop"))
    assert (reply.status_code, reply.json()["code"], reply.headers["retry-after"]) == (503, "keys_unavailable", "2")
    assert service.get("/v1/model").status_code == 401
    assert service.get("/livez").status_code == 200


@pytest.mark.parametrize("text", ["", "# none\n", "[[key]"])
def test_a_service_does_not_start_without_a_key(text, tmp_path):
    path = tmp_path / "keys.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"keys\.toml: "):
        check_keys(Settings(store=tmp_path, keys=str(path)))
    with pytest.raises(ConfigError, match=r"nowhere\.toml: No such file"):
        check_keys(Settings(store=tmp_path, keys=str(tmp_path / "nowhere.toml")))


def test_a_key_that_expires_is_good_before_and_not_after(start, store, keys):
    now = datetime.now(UTC)
    good = keys.add("good", "read", expires=now + 3600 * SECOND)
    past = keys.add("past", "read", expires=now - SECOND)
    service = start(Settings(store=store, keys=str(keys.path)))
    assert service.get("/v1/model", headers=good).status_code == 200
    reply = service.get("/v1/model", headers=past)
    assert (reply.status_code, reply.json()["code"]) == (401, "unauthorized")


def test_the_variable_may_hold_the_text_of_the_file(start, store, keys):
    shop = keys.add("shop", "read")
    service = start(Settings(store=store, keys=keys.path.read_text()))
    assert service.get("/v1/model", headers=shop).status_code == 200
    assert service.get("/v1/model").status_code == 401


def test_a_key_in_the_place_of_its_hash_is_refused_and_not_shown(tmp_path):
    key = new_key()
    with pytest.raises(ConfigError) as refused:
        check_keys(Settings(store=tmp_path, keys=key))
    assert key not in str(refused.value)


def test_what_is_odd_is_warned_about(keys, tmp_path, caplog):
    keys.add("shop", "read", stores=["shp"])
    keys.path.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        KeySource(Settings(store=f"shop={tmp_path}", keys=str(keys.path)))
    first, second = (record.getMessage() for record in caplog.records)
    assert first == "key shop: there is no store shp here"
    assert "has mode 0644" in second


def test_only_the_file_says_whether_keys_are_needed(tmp_path):
    guard = Guard(Settings(store=tmp_path, admin_key="correct horse battery"), limiter=Limiter(SharedCounters()))
    assert not guard.policy.is_required
    assert guard.policy.has_operator
