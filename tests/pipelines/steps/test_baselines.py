"""evaluate.baselines in the job: any can be listed; what cannot work is refused before anything is fitted."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from pipelines.steps.run import run
from pipelines.steps.workspace import STEPS
from recsys.errors import ConfigError, ModelError
from recsys.pipeline_config import PipelineConfig, load_config
from recsys.progress import silent

WITHOUT_EXTRAS = ["popular", "popular_weighted", "item_knn", "item_knn_bm25", "rp3beta", "ease", "bpr", "svd"]


def _config(shop: Path, **evaluate: Any) -> PipelineConfig:
    return load_config(shop, overrides={f"evaluate.{key}": value for key, value in evaluate.items()})


def test_every_baseline_is_evaluated_and_stands_in_the_report(shop: Path) -> None:
    config = _config(shop, baselines=WITHOUT_EXTRAS)
    summaries = run(config, progress=silent)
    assert list(summaries.evaluate.means) == ["als", *WITHOUT_EXTRAS]
    page = (config.workspace / "report.md").read_text(encoding="utf-8")
    assert all(f"| {name} |" in page for name in WITHOUT_EXTRAS)
    chosen = summaries.evaluate.baseline_settings["ease"]["regularization"]
    assert f"Chosen on the train side: ease: regularization {chosen:g}." in page
    coverage = summaries.evaluate.metrics["ease"]["coverage@20"]
    assert f"ease {summaries.evaluate.means['ease']:.4f} ({coverage:.4f})" in summaries.evaluate.sentence()


def test_by_default_a_small_catalogue_is_compared_with_ease_too(shop: Path) -> None:
    summary = run(_config(shop, baselines="auto"), steps=("prepare", "evaluate"), progress=silent).evaluate
    assert list(summary.means) == ["als", "popular", "item_knn", "ease"]


@pytest.mark.parametrize(
    ("evaluate", "expected"),
    [
        ({"baselines": ["popular", "eaze"]}, "'eaze' is unknown, did you mean 'ease'"),
        ({"baselines": ["popular", "popular"]}, "'popular' is named 2 times"),
        ({"cutoffs": [10]}, r"publish\.metric: got 'ndcg@20'"),
        ({"baselines": ["popular", "als"]}, "'als' is the model itself"),
    ],
)
def test_what_cannot_be_fitted_is_refused_before_the_log_is_read(
    shop: Path, evaluate: dict[str, Any], expected: str
) -> None:
    config = _config(shop, **evaluate)
    shutil.rmtree(shop.parent / "events")
    for steps in (STEPS, ("evaluate",)):
        with pytest.raises(ConfigError, match=expected):
            run(config, steps=steps, progress=silent)


def test_ease_beyond_memory_is_refused_before_anything_is_fitted(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recsys.models.neighbours.ease.available_bytes", lambda: 1e6)
    stages: list[str] = []
    with pytest.raises(ModelError, match=r"evaluate\.baselines: ease: \d+ items need 0\.3 GiB"):
        run(_config(shop, baselines=["popular", "ease"]), progress=lambda stage, done, total: stages.append(stage))
    assert "als" not in stages
