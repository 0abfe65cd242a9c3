"""Nights that follow each other: what ties tonight's vectors to those that serve, and what keeps them from it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipelines.steps.previous_version import find_previous_version
from pipelines.steps.run import run
from pipelines.steps.train import train
from pipelines.steps.workspace import STEPS, Workspace
from recsys.artifacts.registry import Registry
from recsys.data.id_map import IdMap
from recsys.data.matrix import InteractionMatrix
from recsys.errors import ArtifactError, DataError
from recsys.evaluation.provenance import Continuity
from recsys.pipeline_config import PipelineConfig, load_config
from recsys.progress import silent

NEWEST = "2026-10.csv"


def config_of(shop: Path, continuity: str = "warm", **more: Any) -> PipelineConfig:
    """Gates that let everything pass, and no more evaluation than it takes."""
    evaluate = {"evaluate.baselines": [], "evaluate.bootstrap": 0}
    gates = {"publish.must_beat_popular": False, "publish.max_metric_drop": 1.0}
    return load_config(shop, overrides={**evaluate, **gates, "model.continuity": continuity, **more})


@pytest.fixture(scope="module")
def published(finished: tuple[PipelineConfig, Any, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop the day after: a version serves that was made when the last month's file was not there yet."""
    folder = tmp_path_factory.mktemp("nights") / "shop"
    shutil.copytree(finished[0].workspace.parent, folder, ignore=shutil.ignore_patterns("work", "store"))
    aside = (folder / "events" / NEWEST).rename(folder / NEWEST)
    run(config_of(folder / "pipeline.toml", "none"), progress=silent)
    aside.rename(folder / "events" / NEWEST)
    return folder


@pytest.fixture
def night(published: Path, tmp_path: Path) -> Path:
    """A copy of it to run on; the path of its configuration."""
    return shutil.copytree(published, tmp_path / "shop") / "pipeline.toml"


def trained(config: PipelineConfig) -> dict[str, Any]:
    run(config, steps=("prepare",), progress=silent)
    return run(config, steps=("evaluate", "train"), progress=silent).train.training


def test_a_warm_night_goes_on_from_what_serves(night: Path) -> None:
    config = config_of(night)
    registry = Registry(config.publish.store)
    before = registry.current()
    done = run(config, progress=silent)
    manifest = registry.serving_manifest()
    assert manifest is not None
    assert manifest.training == done.train.training
    assert manifest.training.started_from == before
    assert manifest.training.iterations == manifest.training.warm_nights == 1
    assert done.train.training.mean_item_cosine > 0.8
    report = json.loads(Workspace(config.workspace).report_json.read_text())
    assert report["training"]["started_from"] == before
    for page in (Workspace(config.workspace).report_markdown, Workspace(config.workspace).report_html):
        assert f"started from those of {before}" in page.read_text().replace("\\", "")


def test_the_evaluation_never_sets_out_from_what_serves(night: Path) -> None:
    warm = run(config_of(night), steps=STEPS[:2], progress=silent)
    anew = run(config_of(night, "none"), steps=STEPS[:2], progress=silent)
    assert warm.evaluate.metrics["als"] == anew.evaluate.metrics["als"]


@pytest.mark.parametrize("continuity", ["aligned", "warm"])
def test_the_same_night_again_gives_the_same_version(night: Path, continuity: str) -> None:
    config = config_of(night, continuity)
    first, again = (run(config, progress=silent).publish for _ in range(2))
    assert not first.unchanged
    assert again.unchanged
    assert again.version == first.version


def test_an_aligned_night_keeps_the_space_and_the_lists(night: Path) -> None:
    anew = run(config_of(night, "none"), steps=STEPS[:3], progress=silent)
    done = run(config_of(night, "aligned"), steps=STEPS[:3], progress=silent)
    assert anew.train.training == Continuity()
    assert done.train.training.aligned_to == Registry(config_of(night).publish.store).current()
    assert done.train.training.mean_item_cosine > 0.5


def test_the_first_night_is_tied_to_none(shop: Path) -> None:
    assert trained(config_of(shop)) == Continuity(tied_to_none="no earlier version serves")


def test_a_damaged_version_is_no_reason_to_fail(night: Path) -> None:
    config = config_of(night)
    registry = Registry(config.publish.store)
    vectors = registry.path(registry.current() or "") / "model" / "users.npy"
    content = bytearray(vectors.read_bytes())
    content[-1] ^= 1
    vectors.chmod(0o644)
    vectors.write_bytes(content)
    training = trained(config)
    assert training == Continuity(tied_to_none=training.tied_to_none)
    assert "users.npy: its content changed" in training.tied_to_none


@pytest.mark.parametrize(
    ("pointer", "reason"), [("v0123456789abcdef", "cannot be read"), ("rubbish", "expected one line")]
)
def test_a_pointer_astray_is_no_reason_to_fail(night: Path, pointer: str, reason: str) -> None:
    config = config_of(night)
    (config.publish.store / "CURRENT").write_text(f"{pointer}\n")
    assert reason in trained(config).tied_to_none


def test_other_factors_cannot_be_brought_over(night: Path) -> None:
    training = trained(config_of(night, **{"model.factors": 6}))
    assert "has 8 factors, model.factors asks for 6" in training.tied_to_none


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("model.alpha", 4.0, "model.alpha has changed from 3.0 to 4.0"),
        ("prepare.half_life_days", 90.0, "prepare.half_life_days has changed from None to 90.0"),
        ("log.event_weights", {"view": 1.0, "cart": 2.0, "purchase": 5.0}, "log.event_weights has changed"),
    ],
)
def test_after_a_changed_setting_the_fit_starts_anew(night: Path, key: str, value: Any, said: str) -> None:
    training = trained(config_of(night, **{key: value}))
    assert said in training.not_warm
    assert training.started_from is None
    assert training.aligned_to


def test_settings_that_vectors_do_not_depend_on_may_change(night: Path) -> None:
    training = trained(config_of(night, **{"model.popularity_exponent": 0.3, "model.threads": 1}))
    assert training.started_from


def test_after_so_many_warm_nights_one_starts_anew(night: Path) -> None:
    config = config_of(night, **{"model.warm_nights": 1})
    run(config, progress=silent)
    newest = night.parent / "events" / NEWEST
    newest.write_bytes(b"".join(newest.read_bytes().splitlines(keepends=True)[:-5]))
    done = run(config, progress=silent).train.training
    assert done.not_warm == "model.warm_nights allows no more than 1 in a row"
    assert done.aligned_to == Registry(config.publish.store).history()[-2].version
    assert "warm_nights" not in done


def test_degraded_vectors_are_not_published(night: Path) -> None:
    config = config_of(night)
    run(config, steps=("prepare", "evaluate"), progress=silent)
    training = train(config, Workspace(config.workspace), progress=silent, min_recall_share=100.0).training
    assert "continued vectors have a recall of" in training.not_warm
    assert training.started_from is None


def test_a_catalogue_of_other_items_is_not_gone_on_with(night: Path) -> None:
    config = config_of(night)
    matrix = InteractionMatrix.load(Workspace(config.workspace).folder("prepare") / "matrix")
    renamed = IdMap(
        pa.array([f"new-{name}" if at % 10 else name for at, name in enumerate(matrix.items.ids.to_pylist())])
    )
    others = InteractionMatrix(matrix.users, renamed, matrix.csr)
    with pytest.raises(ArtifactError, match=r"knows the items of \d+% of the entries"):
        find_previous_version(config, others, log="another")


def test_what_was_made_from_another_version_is_out_of_date(night: Path) -> None:
    """Same log and settings, another version to set out from: the index is not of these vectors."""
    config = config_of(night)
    run(config, steps=STEPS[:4], progress=silent)
    (config.publish.store / "CURRENT").unlink()
    run(config, steps=("train",), progress=silent)
    with pytest.raises(DataError, match="made from an earlier run of train"):
        run(config, steps=("publish",), progress=silent)
