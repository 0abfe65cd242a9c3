"""The file of everybody's list: the same lists as one by one, in every format."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipelines.export import export
from recsys.artifacts.registry import Registry
from recsys.config import PipelineConfig
from recsys.data.synthetic import SyntheticLog
from recsys.engine import Engine
from recsys.errors import ConfigError, FilterError
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
