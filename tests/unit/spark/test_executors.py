"""Executors are looked at before any work: what is wrong is named, and nothing stays in the scratch folder."""

import time
from pathlib import Path

import pytest

from recsys.errors import ConfigError
from recsys.spark.executors import check_executors
from recsys.spark.signs_of_work import telling_tasks


def test_executors_that_can_work_pass_and_leave_nothing(spark, tmp_path: Path) -> None:
    found = check_executors(spark, scratch=tmp_path / "scratch", reads=[("log.paths", tmp_path)])
    assert found.cores == 2
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_path_that_executors_do_not_see_is_named(spark, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^log\.paths: /only/here is not the same for the driver and for every"):
        check_executors(spark, scratch=tmp_path, reads=[("log.paths", Path("/only/here"))])
    assert list(tmp_path.iterdir()) == []


def test_a_scratch_folder_that_cannot_be_written_is_named(spark, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ConfigError, match=r"^compute\.scratch: .*file/scratch cannot be written: Not a directory"):
        check_executors(spark, scratch=tmp_path / "file" / "scratch")


def test_a_python_that_is_not_there_is_named(spark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark.sparkContext, "pythonExec", "/no/python")
    with pytest.raises(ConfigError, match=r"^compute\.conf: spark\.pyspark\.python: an executor cannot start"):
        check_executors(spark, scratch=tmp_path)


def test_a_cluster_without_executors_is_not_waited_for_without_end(spark, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no executor took a task within 0 s; does the cluster have free"):
        check_executors(spark, scratch=tmp_path, wait_seconds=0.001)


def test_tasks_that_end_are_signs_of_work(spark) -> None:
    told: list[str] = []
    with telling_tasks(spark, told.append, every=0.05):
        spark.range(0, 4, 1, 4).mapInArrow(_slow, "id long").collect()
    assert any("of 4 tasks" in words for words in told)


def _slow(batches):
    time.sleep(0.2)
    yield from batches
