"""What a night says of neighbours that it was asked for: none came, or only some users were learned from."""

import json
from pathlib import Path

import pytest

from pipelines.steps.run import run
from pipelines.steps.workspace import Workspace
from recsys.artifacts.registry import Registry
from recsys.data.matrix import InteractionMatrix
from recsys.evaluation.provenance import LocalPart
from recsys.pipeline_config import load_config
from recsys.progress import silent

QUICK = {"evaluate.baselines": [], "evaluate.bootstrap": 0, "publish.must_beat_popular": False}


def test_the_night_says_what_it_learned(shop: Path) -> None:
    config = load_config(shop, overrides={**QUICK, "model.neighbours": 5})
    found = run(config, progress=silent).train.neighbours
    bundle = Registry(config.publish.store).load()
    assert found is not None
    assert bundle.model.neighbours is not None
    assert found.n_weights == bundle.model.neighbours.weights.nnz > 0
    assert found.learned_from == found.n_users == len(bundle.users)
    assert bundle.manifest.neighbours == found
    report = json.loads(Workspace(config.workspace).report_json.read_text())
    assert report["neighbours"] == found.model_dump(mode="json")
    assert not report["warnings"].get("train")


def test_none_that_came_are_a_warning_and_a_statement(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody has two items, so no item is near another."""
    rows = [f"u{user},i{user % 6}" for user in range(90)]
    (tmp_path / "log.csv").write_text("\n".join(["user,item", *rows, ""]))
    (tmp_path / "pipeline.toml").write_text(
        'workspace = "work"\n[log]\npaths = ["log.csv"]\nuser = "user"\nitem = "item"\n'
        '[evaluate]\nsplit = "given"\nholdout_paths = ["holdout.csv"]\nexclude_seen = false\n'
        '[model]\nauto = false\nfactors = 4\nearly_stopping = false\nneighbours = 7\n[publish]\nstore = "store"\n'
    )
    (tmp_path / "holdout.csv").write_text("\n".join(["user,item", *rows[:40], ""]))
    config = load_config(tmp_path / "pipeline.toml", overrides={**QUICK, "publish.min_users": 1})
    found = run(config, progress=silent).train.neighbours
    assert found is not None
    assert (found.asked, found.n_weights) == (7, 0)
    assert "model.neighbours asks for 7, but none were learned" in caplog.text
    report = json.loads(Workspace(config.workspace).report_json.read_text())
    (said,) = [each for each in report["outcome"]["statements"] if "none were learned" in each["text"]]
    assert said["light"] == "attention"
    assert report["warnings"]["train"]
    assert "Model.neighbours asks for 7" in Workspace(config.workspace).report_html.read_text()


def test_none_that_were_asked_for_are_no_matter(shop: Path) -> None:
    config = load_config(shop, overrides={**QUICK, "model.neighbours": 0})
    assert run(config, progress=silent).train.neighbours is None
    matrix = InteractionMatrix.load(Workspace(config.workspace).folder("prepare") / "matrix")
    assert matrix.n_users
    assert Registry(config.publish.store).load().manifest.neighbours is None


def test_a_sample_is_told_in_words() -> None:
    part = LocalPart(asked=50, n_weights=10, n_users=200_000, learned_from=61_000)
    assert part.nothing_came() is None
    assert "a sample of 61,000 of 200,000 users" in (part.sampled() or "")
    assert LocalPart(asked=50, n_weights=10, n_users=5, learned_from=5).sampled() is None
