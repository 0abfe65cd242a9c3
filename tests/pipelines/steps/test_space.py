"""The map of a night, and what its report says of the space."""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.steps.report import portable_settings
from pipelines.steps.run import run
from pipelines.steps.workspace import STEPS
from recsys.artifacts.registry import Registry
from recsys.errors import ConfigError
from recsys.pipeline_config import load_config
from recsys.progress import silent


def test_a_night_seals_a_map_and_reports_the_space(finished: Any) -> None:
    config, _, _ = finished
    bundle = Registry(config.publish.store).load()
    known = bundle.model.embeddings.items.any(axis=1)
    np.testing.assert_array_equal(np.isfinite(bundle.map).all(axis=1), known)
    report = json.loads((config.workspace / "report.json").read_text())
    assert sum(each["n_items"] for each in report["space"]["clusters"]) == known.sum()
    assert report["map"] == {"made_by": "PCA", "coloured_by": report["map"]["coloured_by"], "n_items": known.sum()}
    html, markdown = ((config.workspace / f"report.{kind}").read_text() for kind in ("html", "md"))
    assert 'aria-label="Map of' in html
    assert report["space"]["clusters"][0]["terms"][0]["term"] in html
    assert "## Space" in markdown


def test_only_what_is_asked_for_is_in_the_name_of_a_version(shop: Path) -> None:
    def published(**overrides: Any) -> Any:
        return portable_settings(load_config(shop, overrides=overrides))["publish"]

    assert {"map", "map_items"}.isdisjoint(published())
    assert published(**{"publish.map": "none"})["map"] == "none"
    assert published(**{"publish.map": "tsne"})["map_items"] == 10_000


@pytest.mark.skipif(importlib.util.find_spec("openTSNE") is None, reason="openTSNE is not installed")
def test_the_map_may_be_of_another_kind_or_none(shop: Path) -> None:
    places = {}
    for kind, steps in {"tsne": STEPS, "none": ("publish",)}.items():
        config = load_config(shop, overrides={"publish.map": kind})
        run(config, steps=steps, progress=silent)
        places[kind] = Registry(config.publish.store).load().map
    assert np.isfinite(places["tsne"]).any()
    assert places["none"] is None
    assert 'aria-label="Map of' not in (config.workspace / "report.html").read_text()


def test_a_missing_extra_is_named_before_the_log_is_read(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openTSNE", None)
    with pytest.raises(ConfigError, match=r"publish\.map"):
        run(load_config(shop, overrides={"publish.map": "tsne"}), progress=silent)
