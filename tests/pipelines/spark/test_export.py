"""Everybody's list on Spark: to the bit those of one machine, whole or not at all."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as pa_dataset
import pyarrow.parquet as pa_parquet
import pytest

from pipelines.steps.run import run
from pipelines.steps.summaries import ExportSummary, JobSummary
from recsys.artifacts.registry import Registry
from recsys.data.synthetic import SyntheticLog
from recsys.engine.new_share import utc_today
from recsys.errors import ConfigError, FilterError
from recsys.forgotten import Forgotten
from recsys.pipeline_config import PipelineConfig, load_config
from recsys.progress import silent
from recsys.spark.export import ListsOrder, write_lists

TARGETS = """
[[export]]
to = "lists.parquet"
k = 7
[[export]]
to = "lists.jsonl"
k = 3
exclude_seen = false
[[export]]
to = "sqlite:///{folder}/shop.db/recs"
k = 2
"""

Finished = tuple[PipelineConfig, SyntheticLog, JobSummary]
Export = Callable[[str], tuple[ExportSummary, Path]]


@pytest.fixture
def export(published: Path, tmp_path: Path) -> Export:
    """export(engine): the lists of the finished shop by an engine, to three targets in one folder."""
    published.write_text(published.read_text() + TARGETS.format(folder=tmp_path))

    def exported(engine: str) -> tuple[ExportSummary, Path]:
        config = load_config(published, overrides={"compute.engine": engine})
        return run(config, steps=("export",), progress=silent).export, tmp_path

    return exported


@pytest.fixture
def order(finished: Finished, tmp_path: Path) -> ListsOrder:
    """All lists of the finished shop, in three parts."""
    registry = Registry(finished[0].publish.store)
    version = registry.current()
    assert version is not None
    n_users = len(registry.load().users)
    bounds = (0, 100, 200, n_users)
    return ListsOrder(
        registry.path(version), tmp_path, ".parquet", 5, None, None, bounds, utc_today(), (b"", {}), "abcdef01"
    )


def rows_in(folder: Path) -> tuple[pa.Table, list[str], list[tuple[object, ...]]]:
    with closing(sqlite3.connect(folder / "shop.db")) as database:
        rows = database.execute("SELECT * FROM recs ORDER BY user_id, rank").fetchall()
    texts = folder / "lists.jsonl"
    lines = "".join(each.read_text() for each in (sorted(texts.iterdir()) if texts.is_dir() else [texts]))
    return pa_parquet.read_table(folder / "lists.parquet"), lines.splitlines(), rows


def test_the_lists_are_those_of_one_machine_to_the_bit(spark, export: Export) -> None:
    done, folder = export("local")
    assert not done.problems
    here = rows_in(folder)
    done_there, _ = export("spark")
    there = rows_in(folder)
    assert [each.rows for each in done_there.exports] == [each.rows for each in done.exports]
    assert here[0].equals(there[0])
    assert here[1:] == there[1:]
    assert (folder / "lists.parquet").is_dir()
    assert not [*(folder / "work" / "spark").iterdir()]


def test_parts_hold_the_users_in_order(spark, order: ListsOrder) -> None:
    rows = write_lists(spark, order)
    whole = pa_parquet.read_table(order.files[0])
    assert [file.name for file in order.files] == [f"part-0000{at}-abcdef01.parquet" for at in range(3)]
    users = pa_dataset.dataset(order.files).to_table()["user_id"]
    assert len(users) == rows > whole.num_rows
    assert users.unique().to_pylist() == sorted(users.unique().to_pylist())
    assert len(users.unique()) == order.bounds[-1]


def test_who_was_forgotten_is_in_no_list(spark, order: ListsOrder) -> None:
    key, name = b"k" * 32, "lists of nobody"
    users = Registry(order.bundle.parent.parent).load().users
    gone = Forgotten(key).digest(users.id_at(150))
    write_lists(spark, replace(order, forgotten=(key, {gone: 4e9}), name=name))
    listed = pa_dataset.dataset(replace(order, name=name).files).to_table()["user_id"].unique().to_pylist()
    assert len(listed) == len(users) - 1
    assert users.id_at(150) not in listed


@pytest.mark.parametrize(("field", "key"), [("bundle", "publish.store"), ("folder", "export.to or compute.scratch")])
def test_a_folder_that_executors_do_not_see_is_named(spark, order: ListsOrder, field: str, key: str) -> None:
    hidden = replace(order, **{field: Path("/only/on/the/driver")}, name=f"hidden {field}")
    with pytest.raises(ConfigError, match=rf"^{key}: an executor does not see /only/on/the/driver; .*docs/spark\.md"):
        write_lists(spark, hidden)


def test_what_goes_wrong_in_a_task_leaves_no_part_of_it(spark, order: ListsOrder) -> None:
    wrong = replace(order, filter="no_such_column = 1", name="a filter")
    with pytest.raises(FilterError, match="filter, character 1: expected an attribute"):
        write_lists(spark, wrong)
    assert list(order.folder.iterdir()) == []
