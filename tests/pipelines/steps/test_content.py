"""Content vectors on their way through the job."""

from pathlib import Path

from pipelines.steps.report import portable_settings
from recsys.pipeline_config import load_config


def test_without_content_the_settings_of_a_version_know_nothing_of_it(shop: Path) -> None:
    settings = portable_settings(load_config(shop))
    assert {"content", "cold_start"}.isdisjoint(settings)
    assert portable_settings(load_config(shop, overrides={"cold_start.seed": 2})) == settings


def test_with_content_they_are_part_of_a_version(shop: Path) -> None:
    settings = portable_settings(load_config(shop, overrides={"content": [{"encoder": "tfidf", "dimension": 8}]}))
    (source,) = settings["content"]
    assert source["dimension"] == 8
    assert "pseudo_users" in settings["cold_start"]
