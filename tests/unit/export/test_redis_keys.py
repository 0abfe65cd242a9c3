"""Lists in a real Redis: as documented for readers, bounded in time, and what goes wrong."""

import json

import pyarrow as pa
import pytest
import redis

from recsys.address import Address
from recsys.errors import ConfigError, ExportError
from recsys.export import SCHEMA
from recsys.export.redis_keys import RedisTarget

LISTS = pa.table([["u1", "u1", "u2"], ["b1", "b2", "b1"], [1, 2, 1], [0.5, 0.1, 0.75], ["v1"] * 3], schema=SCHEMA)


def write(url: str, lists: pa.Table = LISTS) -> None:
    with RedisTarget(Address(url)).open("v1") as writer:
        writer.write(lists)


@pytest.fixture
def client(redis_url: str):
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


def test_a_list_is_json_with_items_and_scores_best_first(redis_url: str, client: redis.Redis) -> None:
    write(redis_url)
    generation = client.get("recs:current")
    assert generation.startswith("v1-")
    assert json.loads(client.get(f"recs:{generation}:u1")) == [
        {"item_id": "b1", "score": 0.5},
        {"item_id": "b2", "score": 0.1},
    ]
    assert client.get(f"recs:{generation}:u3") is None


def test_replaced_lists_live_on_for_a_minute(redis_url: str, client: redis.Redis) -> None:
    write(redis_url)
    old = client.get("recs:current")
    write(redis_url)
    assert 0 < client.ttl(f"recs:{old}:u1") <= 60
    assert client.ttl(f"recs:{client.get('recs:current')}:u1") == -1
    assert client.smembers("recs:generations") == {client.get("recs:current")}


def test_lists_may_end_by_themselves(redis_url: str, client: redis.Redis) -> None:
    write(f"{redis_url}?ttl=2d&prefix=shop*:")
    generation = client.get("shop*:current")
    assert 172_790 < client.ttl(f"shop*:{generation}:u1") <= 172_800
    assert 172_790 < client.ttl("shop*:current") <= 172_800


def test_keys_of_others_stay(redis_url: str, client: redis.Redis) -> None:
    client.set("shopX:v1", "theirs")
    for _ in range(2):
        write(f"{redis_url}?prefix=shop?:")
        write(f"{redis_url}?prefix=shopX:")
    assert client.get("shopX:v1") == "theirs"
    assert client.get("shop?:" + client.get("shop?:current") + ":u2") is not None
    assert client.ttl("shopX:" + client.get("shopX:current") + ":u2") == -1


def test_a_full_server_keeps_the_old_lists(redis_url: str, client: redis.Redis) -> None:
    write(redis_url)
    before = client.get("recs:current")
    client.config_set("maxmemory", 1)
    try:
        with pytest.raises(ExportError, match=r"command not allowed.*the lists are as they were"):
            write(redis_url)
    finally:
        client.config_set("maxmemory", 0)
    assert client.get("recs:current") == before
    assert client.get(f"recs:{before}:u1")


def test_two_exports_at_once_are_refused(redis_url: str) -> None:
    refused = pytest.raises(ExportError, match="another export is writing")
    with RedisTarget(Address(redis_url)).open("v1"), refused:
        write(redis_url)
    write(redis_url)


def test_an_export_that_lost_its_lock_does_not_switch(redis_url: str, client: redis.Redis) -> None:
    write(redis_url)
    slow = RedisTarget(Address(redis_url)).open("v2")
    with pytest.raises(ExportError, match="another export began"), slow as writer:
        writer.write(LISTS)
        client.delete("recs:exporting")  # as if it had taken longer than the lock lives
        write(redis_url)
        newest = client.get("recs:current")
    assert client.get("recs:current") == newest
    assert client.ttl(f"recs:{newest}:u1") == -1
    assert client.keys("recs:v2*") == []


@pytest.mark.parametrize(
    ("query", "message"),
    [("?prefx=a", "prefx"), ("?ttl=soon", "ttl: got 'soon', expected a duration"), ("?prefix=", "not empty")],
)
def test_a_query_that_is_wrong_is_named(redis_url: str, query: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        write(redis_url + query)


def test_a_server_that_is_gone_is_told_without_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_PASSWORD", "very secret")
    with pytest.raises(ExportError, match=r"\$\{REDIS_PASSWORD\}@127.0.0.1:1.*refused") as raised:
        write("redis://:${REDIS_PASSWORD}@127.0.0.1:1/0")
    assert "secret" not in str(raised.value)
