"""`recsys demo --live`: the whole way from a database over lists, clicks and a night to a verdict."""

import re
from collections.abc import Callable
from pathlib import Path

import psycopg

from recsys.artifacts.registry import Registry
from tests.conftest import Result


def test_what_readers_click_is_in_the_next_night_and_in_the_verdict(
    recsys: Callable[..., Result], tmp_path: Path, postgres: str
) -> None:
    with psycopg.connect(postgres) as connection:
        connection.execute("CREATE TABLE shop_events AS SELECT 1 AS not_of_the_demo")

    options = ("--nights", 2, "--visits", 80, "--database", postgres, "--folder", tmp_path / "live")
    ended = recsys("demo", "--live", *options)

    assert ended.returncode == 0, ended.stderr
    first, second = (int(n.replace(",", "")) for n in re.findall(r"Night \d: ([\d,]+) events", ended.stdout))
    with psycopg.connect(postgres) as connection:
        (kept,) = connection.execute("SELECT count(*) FROM recsys_demo.events").fetchone() or (0,)
        (before,) = connection.execute(
            "SELECT count(*) FROM recsys_demo.events WHERE recommendation_id IN (SELECT recommendation_id FROM "
            "recsys_demo.impressions WHERE version = %s)",
            (_first_version(tmp_path),),
        ).fetchone() or (0,)
        (arms,) = connection.execute("SELECT count(DISTINCT arm) FROM recsys_demo.impressions").fetchone() or (0,)
        assert connection.execute("SELECT * FROM shop_events").fetchall() == [(1,)]
    assert 0 < before <= second - first <= kept
    assert arms == 2
    assert "live-demo ended" in ended.stdout
    changes = Registry(tmp_path / "live/store").experiment_history()
    assert [entry.change for entry in changes] == ["start", "stop"]


def test_a_database_that_is_not_there_is_named(recsys: Callable[..., Result], tmp_path: Path) -> None:
    url = "postgresql://shop:hunter2@127.0.0.1:1/shop"
    ended = recsys("demo", "--live", "--database", url, "--folder", tmp_path)
    assert ended.returncode == 2
    assert "--database postgresql://shop:***@127.0.0.1:1/shop" in ended.stderr
    assert "hunter2" not in ended.stderr


def _first_version(folder: Path) -> str:
    return Registry(folder / "live/store").history()[0].version
