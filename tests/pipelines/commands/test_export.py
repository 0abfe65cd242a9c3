"""The file of everybody's list: the same lists as one by one, in every format."""

import asyncio
import json
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import pandas as pd
import psycopg
import pytest

from pipelines.commands.export import export
from recsys.artifacts.registry import Registry
from recsys.data.synthetic import SyntheticLog
from recsys.engine import Engine
from recsys.errors import ConfigError, FilterError
from recsys.export import export_lists
from recsys.export.files import FileTarget
from recsys.pipeline_config import PipelineConfig
from recsys.progress import silent

K = 7


@pytest.fixture(scope="module")
def engine(finished: tuple[PipelineConfig, SyntheticLog, dict[str, Any]]) -> Engine:
    return Engine(Registry(finished[0].publish.store).load())


def _read(path: Path) -> pd.DataFrame:
    text = {"user_id": str, "item_id": str}
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    return pd.read_csv(path, dtype=text) if path.suffix == ".csv" else pd.read_json(path, lines=True, dtype=text)


@pytest.mark.parametrize("name", ["lists.parquet", "lists.csv", "lists.jsonl"])
def test_the_file_holds_everybodys_list(engine: Engine, tmp_path: Path, name: str) -> None:
    rows = export(engine, tmp_path / name, k=K, progress=silent)
    frame = _read(tmp_path / name)
    assert list(frame.columns) == ["user_id", "item_id", "rank", "score", "model_version"]
    assert len(frame) == rows
    assert set(frame["model_version"]) == {engine.version}
    lists = dict(iter(frame.groupby("user_id")))
    assert len(lists) == len(engine.user_ids)
    for user in (engine.user_ids.id_at(0), engine.user_ids.id_at(len(engine.user_ids) - 1)):
        answer = engine.recommend(user, k=K).items
        assert lists[user]["item_id"].tolist() == [item.item_id for item in answer]
        assert lists[user]["rank"].tolist() == [item.rank for item in answer]
        assert lists[user]["score"].tolist() == pytest.approx([item.score for item in answer], abs=1e-5)


def test_every_score_is_the_same_float32_in_every_format(engine: Engine, tmp_path: Path) -> None:
    for name in ("lists.parquet", "lists.csv", "lists.jsonl"):
        export(engine, tmp_path / name, k=50, progress=silent)
    expected = _read(tmp_path / "lists.parquet")
    assert expected["score"].dtype == np.float32
    rows = [json.loads(line) for line in (tmp_path / "lists.jsonl").read_text().splitlines()]
    for frame in (pd.DataFrame(rows), _read(tmp_path / "lists.csv")):
        pd.testing.assert_frame_equal(frame.astype(expected.dtypes), expected, check_exact=True)


Lists = dict[str, list[tuple[str, float]]]


@pytest.fixture(scope="module")
def address(
    finished: tuple[PipelineConfig, SyntheticLog, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Where `recsys serve` answers from the finished store."""
    log = tmp_path_factory.mktemp("serve") / "log"
    command = [sys.executable, "-m", "pipelines", "serve", "--store", str(finished[0].publish.store), "--port", "0"]
    with log.open("wb") as sink, subprocess.Popen(command, stderr=sink) as process:
        try:
            yield _listening(process, log)
        finally:
            process.terminate()


def _listening(process: "subprocess.Popen[bytes]", log: Path) -> str:
    deadline = time.monotonic() + 30
    while "Application startup complete" not in log.read_text():
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)
    found = re.search(r"listening on (http://[\d.]+:\d+)", log.read_text())
    assert found is not None
    return found[1]


async def _asked(address: str, users: Sequence[str], k: int) -> Lists:
    """Over 32 connections at once, so that questions share searches."""
    limits = httpx.Limits(max_connections=32)
    async with httpx.AsyncClient(base_url=address, limits=limits, timeout=30) as client:
        paths = [f"/v1/users/{quote(user, safe='')}/recommendations?k={k}" for user in users]
        replies = await asyncio.gather(*map(client.get, paths))
    return {user: _listed(reply.json()) for user, reply in zip(users, replies, strict=True)}


def _listed(body: dict[str, Any]) -> list[tuple[str, float]]:
    return [(item["item_id"], item["score"]) for item in body["items"]]


def assert_same(found: Lists, expected: Lists) -> None:
    for user, items in found.items():
        assert [item_id for item_id, _ in items] == [item_id for item_id, _ in expected[user]]
        scores, others = ([score for _, score in each] for each in (items, expected[user]))
        np.testing.assert_allclose(scores, others, rtol=0, atol=1e-5)


@pytest.mark.parametrize("k", [10, 50])
def test_the_service_and_the_engine_give_everybody_the_list_in_the_file(
    engine: Engine, address: str, tmp_path: Path, k: int
) -> None:
    """`benchmarks/same_lists.py` asks the same of any store."""
    export(engine, tmp_path / "lists.parquet", k=k, progress=silent)
    lists: Lists = {
        str(user): list(zip(rows["item_id"], rows["score"], strict=True))
        for user, rows in _read(tmp_path / "lists.parquet").groupby("user_id")
    }
    users = list(lists)
    assert users == engine.user_ids.decode(range(len(engine.user_ids)))
    assert all(len(items) == k for items in lists.values())
    assert_same({user: [(it.item_id, it.score) for it in engine.recommend(user, k=k).items] for user in users}, lists)
    assert_same(asyncio.run(_asked(address, users, k)), lists)
    questions = [{"user_id": user, "k": k} for user in users[:30]]
    together = httpx.post(f"{address}/v1/recommendations:batch", json={"requests": questions}).json()["answers"]
    assert_same({user: _listed(body) for user, body in zip(users[:30], together, strict=True)}, lists)
    alone = [httpx.post(f"{address}/v1/recommendations", json=question).json() for question in questions]
    assert_same({user: _listed(body) for user, body in zip(users[:30], alone, strict=True)}, lists)


def test_a_table_holds_the_rows_of_the_file(
    recsys: Any, finished: tuple[PipelineConfig, SyntheticLog, dict[str, Any]], tmp_path: Path, postgres: str
) -> None:
    store, to = finished[0].publish.store, postgres.replace("?", "/recs?")
    for place in (["--out", tmp_path / "lists.parquet"], ["--to", to], ["--to", f"sqlite:///{tmp_path}/a.db/recs"]):
        ended = recsys("export", "--store", store, *place, "-k", 7)
        assert ended.returncode == 0, ended.stderr
        assert "2,037 rows for 291 users in " in ended.stdout
    expected = _read(tmp_path / "lists.parquet").sort_values(["user_id", "rank"], ignore_index=True)
    with psycopg.connect(postgres) as connection:
        stored = pd.DataFrame(connection.execute("SELECT * FROM recs").fetchall(), columns=expected.columns)
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        filed = pd.DataFrame(connection.execute("SELECT * FROM recs").fetchall(), columns=expected.columns)
    for frame in (stored, filed):
        frame = frame.astype(expected.dtypes).sort_values(["user_id", "rank"], ignore_index=True)
        pd.testing.assert_frame_equal(frame, expected, check_exact=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected one of --out FILE and --to URL"),
        (["--to", "lists.parquet"], "expected a URL, as postgresql://user@host/database/table; --out takes a file"),
        (["--to", "postgresql://shop:s3cret@localhost/shop"], "postgresql://shop:***@localhost/shop: names no table"),
        (["--out", "lists.csv", "--table", "recs"], "--table: needs --to"),
    ],
)
def test_a_place_that_is_none_is_refused(recsys: Any, tmp_path: Path, arguments: list[str], message: str) -> None:
    ended = recsys("export", "--store", tmp_path, *arguments)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert "s3cret" not in ended.stderr


def test_what_was_seen_may_be_listed(engine: Engine, tmp_path: Path) -> None:
    listed = {}
    for seen in (True, False):
        target = FileTarget(tmp_path / "lists.parquet")
        export_lists(engine, target, k=K, progress=silent, exclude_seen=not seen)
        listed[seen] = _read(tmp_path / "lists.parquet").groupby("user_id")["item_id"].agg(list)
    user = engine.user_ids.id_at(0)
    assert listed[True][user] == [it.item_id for it in engine.recommend(user, k=K, exclude_seen=False).items]
    assert listed[True][user] != listed[False][user]


def test_another_ending_is_refused_before_any_work(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'\.xls', expected one of \.parquet"):
        export(engine, tmp_path / "lists.xls", k=K, progress=silent)


def test_a_missing_folder_is_named(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        export(engine, tmp_path / "nowhere" / "lists.csv", k=K, progress=silent)


def test_a_failed_export_leaves_the_old_file(engine: Engine, tmp_path: Path) -> None:
    out = tmp_path / "lists.csv"
    out.write_text("yesterday's")

    def interrupted(stage: str, done: float, total: float | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(engine, out, k=K, progress=interrupted)
    assert out.read_text() == "yesterday's"


def test_everybodys_list_through_a_filter(engine: Engine, tmp_path: Path) -> None:
    some = engine.item_ids.id_at(len(engine.item_ids) // 2)
    export(engine, tmp_path / "lists.csv", k=K, progress=silent, filter=f"id >= '{some}'")
    frame = _read(tmp_path / "lists.csv")
    assert (frame["item_id"] >= some).all()
    assert set(frame.groupby("user_id").size()) == {K}


def test_a_failure_leaves_the_old_file_and_no_other(engine: Engine, tmp_path: Path) -> None:
    out = tmp_path / "lists.csv"
    out.write_text("old")
    with pytest.raises(FilterError):
        export(engine, out, k=K, progress=silent, filter="nonsense")
    assert [path.name for path in tmp_path.iterdir()] == ["lists.csv"]
    assert out.read_text() == "old"
