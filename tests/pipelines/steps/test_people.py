"""Visitors in the job: measured for every model, in step.json and in the report."""

import json
from pathlib import Path

from pipelines.steps.run import run
from pipelines.steps.workspace import Workspace
from recsys.pipeline_config import load_config
from recsys.progress import silent


def test_visitors_are_measured_for_every_model(shop: Path) -> None:
    config = load_config(shop, overrides={"evaluate.visitors": 40, "evaluate.session_gap": "7d"})
    visitors = run(config, progress=silent).evaluate.visitors
    assert visitors is not None
    assert [row.n_known for row in visitors.known] == [1, 2, 3]
    for row in visitors.known:
        assert set(row.models) == {"als", "popular", "item_knn"}
        assert 0 < row.n_visitors <= 40
    assert visitors.known[0].models["als"].mean > 0
    report = json.loads(Workspace(config.workspace).report_json.read_text())
    assert report["visitors"]["known"][0]["n_visitors"] == visitors.known[0].n_visitors
