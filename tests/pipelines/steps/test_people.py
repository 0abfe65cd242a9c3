"""People in the job: visitors and the session weight, in step.json, in the report and in the version."""

import json
from pathlib import Path

import pytest

from pipelines.steps.run import run
from pipelines.steps.workspace import Workspace
from recsys.artifacts.manifest import session_weight_of
from recsys.artifacts.registry import Registry
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


@pytest.mark.parametrize("set_to", [None, 3.0])
def test_the_session_weight_is_sealed_and_used(shop: Path, set_to: float | None) -> None:
    given = {
        "evaluate.session_gap": "6d",
        "evaluate.exclude_seen": False,
        "model.auto": False,
        "evaluate.visitors": 0,
    }
    config = load_config(shop, overrides={**given, **({} if set_to is None else {"model.session_weight": set_to})})
    summaries = run(config, progress=silent)
    found = summaries.evaluate.session_weight
    bundle = Registry(config.publish.store).load()
    if set_to is not None:
        assert found is None
        assert session_weight_of(bundle.manifest) == set_to
        return
    assert found is not None and found.reason is None and found.tried[0] == 1
    assert session_weight_of(bundle.manifest) == found.weight
    report = json.loads(Workspace(config.workspace).report_json.read_text())
    assert report["session_weight"]["scores"] == pytest.approx(found.scores)
    assert report["settings"]["model"]["session_weight"] == found.weight


def test_without_times_the_session_weight_stays_1(shop: Path) -> None:
    text = shop.read_text().replace('timestamp = "timestamp"\n', "").replace('holdout = "28d"', 'split = "last_n"')
    shop.write_text(text)
    config = load_config(shop, overrides={"model.auto": False})
    summaries = run(config, progress=silent)
    found = summaries.evaluate.session_weight
    assert found is not None and (found.weight, found.reason) == (1, "the log has no times")
    assert summaries.evaluate.visitors is not None
