"""A job that clearly does not fit is refused before it begins."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.forecast.fits import MARGIN, check_fits, judge
from pipelines.forecast.forecast import Advice, Forecast, forecast
from pipelines.steps.workspace import STEPS
from recsys.errors import DoesNotFitError
from recsys.pipeline_config import load_config
from recsys.progress import silent

TIGHT = {"resources.memory_gib": 0.1}


@pytest.fixture(scope="module")
def found(written: tuple[Path, Any]) -> Forecast:
    config = load_config(written[0] / "pipeline.toml")
    return forecast(config, quick=True, progress=silent, available=1e12, timed=False)


def test_the_message_names_forecast_available_and_what_to_change(recsys: Any, shop: Path) -> None:
    ended = recsys("run", shop, "--set", "resources.memory_gib=0.1")
    assert (ended.returncode, ended.stdout) == (2, "")
    for part in (
        "of memory, and 102 MiB are available",
        "give the job more memory",
        "`recsys doctor CONFIG`",
        "--ignore-forecast (resources.check_forecast = false) goes on all the same",
    ):
        assert part in ended.stderr
    assert not (shop.parent / "work").exists()


def test_the_message_names_settings_that_make_the_job_smaller(found: Forecast) -> None:
    advice = tuple(Advice(f"model.factors = {2**n}", 2**n * 2**20) for n in range(5))
    with pytest.raises(
        DoesNotFitError, match=r"or make it smaller: model\.factors = 1 \(1 MiB\), .* = 4 \(4 MiB\)\."
    ):
        judge(replace(found, available=1, advice=advice), STEPS)


def test_a_job_that_is_told_to_goes_on(recsys: Any, shop: Path) -> None:
    tight = ("--set", "resources.memory_gib=0.1")
    assert recsys("prepare", shop, *tight).returncode == 2
    assert recsys("prepare", shop, *tight, "--ignore-forecast").returncode == 0
    assert recsys("prepare", shop, *tight, "--set", "resources.check_forecast=false").returncode == 0


def test_only_the_steps_that_run_count(found: Forecast) -> None:
    sizes = {step.step: step.size for step in found.steps}
    between = replace(found, available=(sizes["evaluate"] + sizes["prepare"]) / 2)
    judge(between, ("prepare",))
    with pytest.raises(DoesNotFitError, match="evaluate needs about"):
        judge(between, STEPS)


def test_a_forecast_of_a_part_of_the_log_has_a_margin(found: Forecast) -> None:
    tight = replace(found, available=found.peak.size / MARGIN + 1)
    judge(replace(tight, size=replace(found.size, measured=False)), STEPS)
    with pytest.raises(DoesNotFitError, match="from the whole log"):
        judge(tight, STEPS)
    with pytest.raises(DoesNotFitError, match=r"refused from 1\.5 times what is available on"):
        tighter = replace(tight, available=found.peak.size / MARGIN - 1)
        judge(replace(tighter, size=replace(found.size, measured=False)), STEPS)


def test_a_disk_that_is_too_small_is_named(found: Forecast) -> None:
    with pytest.raises(DoesNotFitError, match=r"for the workspace and .* for the version, and 0 KiB are free"):
        judge(replace(found, disk_free=0), STEPS)
    judge(replace(found, disk_free=found.workspace + found.version), STEPS)


def test_a_small_log_is_not_surveyed_and_a_wrong_one_is_left_to_the_steps(
    shop: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = {"log.user": "nobody"}
    with caplog.at_level(logging.INFO, "pipelines.forecast.fits"):
        check_fits(load_config(shop, overrides=wrong), STEPS)
        assert caplog.messages == []
        check_fits(load_config(shop, overrides={**wrong, **TIGHT}), STEPS)
    assert "the job is not forecast: " in caplog.text
    assert "nobody" in caplog.text


def test_a_log_that_is_elsewhere_is_not_forecast(shop: Path, caplog: pytest.LogCaptureFixture) -> None:
    elsewhere = {"log.paths": "s3://bucket/events", **TIGHT}
    with caplog.at_level(logging.INFO, "pipelines.forecast.fits"):
        check_fits(load_config(shop, overrides=elsewhere), STEPS)
    assert "not of files on this machine" in caplog.text
