"""Cold items in the job: measured on a fit of their own, told in step.json and in both pages of the report."""

import json
from pathlib import Path
from typing import Any

from pipelines.steps.run import run
from pipelines.steps.summaries import EvaluateSummary
from pipelines.steps.workspace import Workspace
from recsys.pipeline_config import load_config
from recsys.progress import silent

QUIET = {
    "content": [{"encoder": "tfidf", "columns": ["title", "genre"], "dimension": 32}],
    "evaluate.baselines": [],
    "publish.must_beat_popular": False,
    "evaluate.visitors": 0,
    "model.auto": False,
}


def _evaluated(shop: Path, **overrides: Any) -> tuple[EvaluateSummary, Workspace]:
    config = load_config(shop, overrides={**QUIET, **overrides})
    return run(config, progress=silent).evaluate, Workspace(config.workspace)


def test_cold_items_are_found_by_content_and_told_everywhere(shop: Path) -> None:
    evaluated, workspace = _evaluated(shop)
    cold = evaluated.cold_items
    assert cold is not None and evaluated.cold_start is not None
    assert cold.names == ("als", "content", "popular by genre", "random")
    _, ndcg = cold.shown
    found = {name: cold.among_hidden[name][ndcg].mean for name in cold.names}
    assert found["als"] > found["random"]
    for name in cold.names:
        assert (cold.among_all[name][ndcg].mean or 0) <= (found[name] or 0)
    report = json.loads(workspace.report_json.read_text(encoding="utf-8"))
    assert report["cold_items"]["n_hidden"] == cold.n_hidden
    for page in (workspace.report_markdown, workspace.report_html):
        assert "Ranked among the hidden items" in page.read_text(encoding="utf-8")


def test_zero_users_leave_the_second_fit_out(shop: Path) -> None:
    evaluated, workspace = _evaluated(shop, **{"evaluate.cold_items": 0})
    assert evaluated.cold_start is not None and evaluated.cold_items is None
    assert "cold_items" not in json.loads(workspace.report_json.read_text(encoding="utf-8"))


def test_nothing_is_measured_without_content(shop: Path) -> None:
    assert _evaluated(shop, content=[])[0].cold_items is None
