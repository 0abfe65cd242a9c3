"""Settings chosen in the job: evaluated, trained and sealed alike, and begun with the night after."""

import json
from pathlib import Path

import pytest

from pipelines.steps.run import run
from pipelines.steps.workspace import Workspace
from recsys.artifacts.registry import Registry
from recsys.errors import DataError
from recsys.pipeline_config import load_config
from recsys.progress import silent

QUICK = {
    "model.auto": True,
    "model.neighbours": 0,
    "model.iterations": 2,
    "model.start": "spectral",
    "publish.must_beat_popular": False,
}


def test_a_night_trains_what_it_chose_and_the_next_one_begins_with_it(shop: Path) -> None:
    config = load_config(shop, overrides=QUICK)
    first = run(config, progress=silent)
    choice, manifest = first.evaluate.choice, Registry(config.publish.store).serving_manifest()
    assert choice is not None
    assert manifest is not None
    assert set(choice.settings) >= {"weighting", "popularity_exponent"}
    assert {"factors", "alpha", "regularization", "iterations"}.isdisjoint(choice.settings)  # set
    assert choice.settings.items() <= manifest.config["model"].items()
    assert "settings chosen on" in first.evaluate.sentence()
    report = json.loads(Workspace(config.workspace).report_json.read_text())
    assert report["choice"]["settings"] == choice.settings
    assert choice.settings.items() <= report["settings"]["model"].items()
    again = run(config, progress=silent)
    assert again.evaluate.choice.kept_from == manifest.version
    assert again.evaluate.choice.settings == choice.settings
    assert again.publish.unchanged


def test_a_warm_night_goes_on_with_the_settings_that_serve(shop: Path) -> None:
    newest = shop.parent / "events" / "2026-10.csv"
    aside = newest.rename(shop.parent / newest.name)
    config = load_config(shop, overrides={**QUICK, "model.continuity": "warm", "publish.max_metric_drop": 1.0})
    version = run(config, progress=silent).publish.version
    aside.rename(newest)
    second = run(config, progress=silent)
    assert second.evaluate.choice.kept_from == version
    assert second.train.training.started_from == version


def test_a_setting_that_is_set_to_its_default_is_another_configuration(shop: Path) -> None:
    config = load_config(shop, overrides=QUICK)
    run(config, steps=("prepare", "evaluate"), progress=silent)
    fixed = load_config(shop, overrides={**QUICK, "model.weighting": "degree"})
    with pytest.raises(DataError, match=r"\[model\] has changed"):
        run(fixed, steps=("train",), progress=silent)
