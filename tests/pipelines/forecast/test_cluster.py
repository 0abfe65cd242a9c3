"""When a job is one for Spark, what it takes there, and what the doctor looks at there."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.commands.doctor import which_engine
from pipelines.forecast.cluster import of_driver, on_spark
from pipelines.forecast.fits import check_fits
from pipelines.forecast.forecast import Forecast, forecast
from pipelines.forecast.job_size import JobSize
from pipelines.spark.doctor import EXECUTORS, INSTALLED, SESSION, look
from pipelines.steps.workspace import STEPS
from recsys.pipeline_config import PipelineConfig, load_config
from recsys.progress import silent

_HUGE = {
    "rows": 10**10,
    "accepted": 10**10,
    "events": 10**10,
    "users": 10**8,
    "n_users": 10**8,
    "entries": 5 * 10**9,
    "pairs": 5 * 10**9,
    "train_users": 10**8,
    "eval_users": 10**8,
}


@pytest.fixture
def spark_config(shop: Path) -> PipelineConfig:
    return load_config(shop, overrides={"compute.engine": "spark", "compute.sample_events": 10_000})


def test_the_driver_works_on_the_sample_and_on_all_items(spark_config: PipelineConfig) -> None:
    size = replace(_size(spark_config), **_HUGE, n_items=10**6)
    held = of_driver(size, spark_config)
    assert (held.events, held.entries, held.n_users, held.n_items) == (10_000, 5_000, 100, 10**6)
    assert of_driver(_size(spark_config), spark_config) == _size(spark_config)  # a small log is its own sample


def test_a_task_holds_a_block_and_the_vectors_that_are_broadcast_or_named(spark_config: PipelineConfig) -> None:
    size, config = replace(_size(spark_config), **_HUGE), spark_config
    block, factors = config.compute.block_entries, config.model.factors
    few, many = (replace(size, n_items=n, catalogue_items=0) for n in (1_000_000, 100_000_000))
    base = on_spark(size, config, {}).task_bytes
    assert on_spark(few, config, {}).task_bytes - base == pytest.approx(4 * factors * 1_000_000, rel=0.01)
    assert on_spark(many, config, {}).task_bytes - base == pytest.approx(4 * factors * block, rel=0.01)


def test_core_hours_are_spread_over_a_night(spark_config: PipelineConfig) -> None:
    day = on_spark(_size(spark_config), spark_config, {"train": 86_400.0})
    assert day.cores == -(-day.core_hours // 8) > 1
    assert on_spark(_size(spark_config), spark_config, {"train": 1.0}).cores == 1


def test_the_doctor_says_when_a_job_should_move(shop: Path) -> None:
    config = load_config(shop)
    found = forecast(config, quick=True, progress=silent)
    assert "this machine is enough" in which_engine(found, config).detail
    tight = which_engine(replace(found, available=float(found.steps[1].size - 1)), config)
    assert tight.detail.startswith("a job for Spark, because evaluate does not fit")
    assert "core hours" in tight.detail
    long = which_engine(replace(found, seconds={"train": 50 * 3600.0}), config)
    assert "because it takes 50 h here" in long.detail
    assert tight.status == long.status == "ok"  # the step that does not fit is the problem


def test_a_job_on_spark_is_not_refused_for_events_that_the_driver_never_holds(shop: Path) -> None:
    there = load_config(shop, overrides={"compute.engine": "spark", "compute.sample_events": 10_000})
    found: Forecast = forecast(there, quick=True, progress=silent, timed=False)
    assert found.seconds == {}
    assert "Spark: the driver holds up to" in which_engine(found, there).detail
    check_fits(there, STEPS)


def test_the_doctor_looks_at_the_cluster(spark, spark_config: PipelineConfig) -> None:
    found = look(spark_config)
    assert [(each.name, each.status) for each in found] == [(name, "ok") for name in (INSTALLED, SESSION, EXECUTORS)]


def test_a_log_that_executors_do_not_see_is_a_problem_with_a_remedy(spark, spark_config: PipelineConfig) -> None:
    hidden = spark_config.log.model_copy(update={"paths": (Path("/only/here/*.csv"),)})
    found = look(spark_config.model_copy(update={"log": hidden}))[-1]
    assert (found.name, found.status, found.exit_code) == (EXECUTORS, "problem", 2)
    assert "log.paths: /only/here is not the same" in found.detail
    assert "docs/spark.md" in found.remedy


def test_without_java_nothing_else_is_looked_at(
    spark_config: PipelineConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    (found,) = look(spark_config)
    assert (found.name, found.status, found.exit_code) == (INSTALLED, "problem", 2)
    assert "Spark needs Java 17" in found.detail or "pyspark is not installed" in found.detail


def _size(config: PipelineConfig) -> JobSize:
    return forecast(config, quick=True, progress=silent, timed=False).size
