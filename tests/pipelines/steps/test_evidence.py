"""Two nights in a row: the second one is compared with the first on the users of both."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipelines.steps.run import run
from pipelines.steps.workspace import STEPS
from recsys.artifacts.bundle import read_record
from recsys.artifacts.registry import Registry
from recsys.errors import GateError
from recsys.evaluation.reporting.report import utc_text
from recsys.pipeline_config import load_config
from recsys.progress import silent


def _report(published: Path) -> dict[str, Any]:
    return json.loads((published.parent / "work" / "report.json").read_text(encoding="utf-8"))


def test_the_second_night_is_compared_with_the_first_on_the_same_users(published: Path) -> None:
    assert _report(published)["serving"] is None
    first = _report(published)["version"]
    run(load_config(published, overrides={"model.seed": 2}), progress=silent)
    report = _report(published)
    assert report["serving"]["version"] == first
    assert report["serving"]["n_shared"] == report["n_users"] > 100
    difference = report["differences"]["als minus serving"]["ndcg@20"]
    assert difference["low"] < difference["mean"] < difference["high"]
    means = [report["models"]["als"]["ndcg@20"]["mean"], report["serving"]["before"]["ndcg@20"]]
    assert difference["mean"] == pytest.approx(means[0] - means[1], abs=1e-5)
    assert [gate["name"] for gate in report["gates"][:3]] == ["beats_popular", "no_metric_drop", "no_coverage_drop"]
    assert all("users evaluated for both" in gate["detail"] for gate in report["gates"][1:3])
    page = (published.parent / "work" / "report.html").read_text(encoding="utf-8")
    assert f"Users who lose most against the serving version, {first}" in page


def test_the_same_night_again_differs_in_nothing(published: Path) -> None:
    run(load_config(published, overrides={"publish.max_metric_drop": 0}), progress=silent)
    for difference in _report(published)["differences"]["als minus serving"].values():
        assert (difference["mean"], difference["low"], difference["high"]) == (0, 0, 0)


def test_the_report_reads_no_events(shop: Path) -> None:
    config = load_config(shop)
    done = run(config, steps=STEPS[:-1], progress=silent)
    shutil.rmtree(config.workspace / "prepare" / "events")
    run(config, steps=STEPS[-1:], progress=silent)
    assert _report(shop)["log"]["newest"] == utc_text(done.prepare.newest_event)


def test_a_certain_loss_on_the_same_users_is_refused(published: Path) -> None:
    worse = load_config(published, overrides={"model.regularization": 1e6, "publish.must_beat_popular": False})
    with pytest.raises(
        GateError, match=r"ndcg@20 -0\.\d+ against the serving version's .* the loss is certainly larger"
    ):
        run(worse, progress=silent)
    registry = Registry(worse.publish.store)
    serving = registry.current()
    assert serving is not None
    record = read_record(registry.path(serving))[1]
    assert record is not None
    assert len(record.users) == _report(published)["n_users"]
