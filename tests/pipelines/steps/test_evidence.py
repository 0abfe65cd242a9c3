"""Two nights in a row: the second one is compared with the first on the users of both."""

import json
from pathlib import Path

import pytest

from pipelines.steps.run import run
from recsys.artifacts.bundle import read_record
from recsys.artifacts.registry import Registry
from recsys.errors import GateError
from recsys.pipeline_config import load_config
from recsys.progress import silent


def _report(shop: Path) -> dict:
    return json.loads((shop.parent / "work" / "report.json").read_text(encoding="utf-8"))


def test_the_second_night_is_compared_with_the_first_on_the_same_users(shop: Path) -> None:
    first = run(load_config(shop), progress=silent).publish.version
    assert _report(shop)["serving"] is None
    run(load_config(shop, overrides={"model.seed": 2}), progress=silent)
    report = _report(shop)
    assert report["serving"]["version"] == first
    assert report["serving"]["n_shared"] == report["n_users"] > 100
    difference = report["differences"]["als minus serving"]["ndcg@20"]
    assert difference["low"] < difference["mean"] < difference["high"]
    means = [report["models"]["als"]["ndcg@20"]["mean"], report["serving"]["before"]["ndcg@20"]]
    assert difference["mean"] == pytest.approx(means[0] - means[1], abs=1e-5)
    assert [gate["name"] for gate in report["gates"]] == ["beats_popular", "no_metric_drop", "no_coverage_drop"]
    assert all("users evaluated for both" in gate["detail"] for gate in report["gates"][1:])
    page = (shop.parent / "work" / "report.html").read_text(encoding="utf-8")
    assert f"Users who lose most against the serving version, {first}" in page


def test_the_same_night_again_differs_in_nothing(shop: Path) -> None:
    config = load_config(shop, overrides={"publish.max_metric_drop": 0})
    for _ in range(2):
        run(config, progress=silent)
    for difference in _report(shop)["differences"]["als minus serving"].values():
        assert (difference["mean"], difference["low"], difference["high"]) == (0, 0, 0)


def test_a_certain_loss_on_the_same_users_is_refused(shop: Path) -> None:
    run(load_config(shop), progress=silent)
    worse = load_config(shop, overrides={"model.regularization": 1e6, "publish.must_beat_popular": False})
    with pytest.raises(
        GateError, match=r"ndcg@20 -0\.\d+ against the serving version's .* the loss is certainly larger"
    ):
        run(worse, progress=silent)
    registry = Registry(load_config(shop).publish.store)
    serving = registry.current()
    assert serving is not None
    record = read_record(registry.path(serving))[1]
    assert record is not None
    assert len(record.users) == _report(shop)["n_users"]
