"""train on Spark writes what train on one machine writes, up to the order of sums, and ties it the same way."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.spark.prepare import prepare as prepare_on_spark
from pipelines.spark.train import train as train_on_spark
from pipelines.steps.run import run
from pipelines.steps.summaries import EvaluateSummary, TrainSummary
from pipelines.steps.train import train as train_locally
from pipelines.steps.workspace import Workspace
from recsys.config import ComputeConfig
from recsys.errors import ConfigError
from recsys.evaluation.provenance import Choice
from recsys.models.factors.model import FactorModel
from recsys.models.registry import load_model
from recsys.pipeline_config import PipelineConfig, load_config
from recsys.progress import silent

SPARK = ComputeConfig(engine="spark", block_entries=6_000)
NEWEST = "2026-10.csv"
SETTINGS = {
    "evaluate.baselines": [],
    "evaluate.bootstrap": 0,
    "publish.must_beat_popular": False,
    "publish.max_metric_drop": 1.0,
    "model.solver": "compiled",
    "model.start": "random",
    "model.iterations": 2,
    "model.early_stopping": False,
    "model.neighbours": 8,
}


@pytest.fixture(scope="module")
def day_after(written: tuple[Path, Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, EvaluateSummary]:
    """A shop where a version serves that was made without the last month's file, and what evaluate said of it."""
    folder = shutil.copytree(written[0], tmp_path_factory.mktemp("nights") / "shop")
    aside = (folder / "events" / NEWEST).rename(folder / NEWEST)
    done = run(load_config(folder / "pipeline.toml", overrides=SETTINGS), progress=silent)
    aside.rename(folder / "events" / NEWEST)
    return folder, done.evaluate


@pytest.fixture
def night(day_after: tuple[Path, EvaluateSummary], tmp_path: Path) -> Path:
    """A copy of it to run on; the path of its configuration."""
    return shutil.copytree(day_after[0], tmp_path / "shop") / "pipeline.toml"


def config_of(path: Path, continuity: str) -> PipelineConfig:
    return load_config(path, overrides=SETTINGS | {"model.continuity": continuity})


def on_spark(config: PipelineConfig) -> PipelineConfig:
    return config.model_copy(update={"workspace": config.workspace.with_name("spark-work"), "compute": SPARK})


def evaluated(workspace: Workspace, config: PipelineConfig, summary: EvaluateSummary) -> None:
    """Leave what evaluate would leave, with this summary."""
    with workspace.output("evaluate", config) as output:
        output.summary = summary


def both(config: PipelineConfig, summary: EvaluateSummary) -> tuple[TrainSummary, TrainSummary]:
    """What train did by either engine, after the same evaluation."""
    local, other = Workspace(config.workspace), Workspace(on_spark(config).workspace)
    run(config, steps=("prepare",), progress=silent)
    prepare_on_spark(on_spark(config), other, progress=silent)
    for workspace, each in ((local, config), (other, on_spark(config))):
        evaluated(workspace, each, summary)
    return train_locally(config, local, progress=silent), train_on_spark(on_spark(config), other, progress=silent)


def models(config: PipelineConfig) -> tuple[FactorModel, FactorModel]:
    return load_model(config.workspace / "train" / "model"), load_model(
        on_spark(config).workspace / "train" / "model"
    )


def close(found: np.ndarray, expected: np.ndarray) -> bool:
    """Whether every row differs by less than a thousandth of the mean length."""
    return bool(np.linalg.norm(found - expected, axis=1).max() < 1e-3 * np.linalg.norm(expected, axis=1).mean())


def compare(config: PipelineConfig, local: TrainSummary, other: TrainSummary) -> None:
    found, expected = other.model_dump(), local.model_dump()
    for name, value in expected.pop("training").items():
        assert found["training"][name] == (pytest.approx(value, abs=1e-3) if isinstance(value, float) else value), (
            name
        )
    del found["training"]
    assert found == expected
    here, there = models(config)
    scores = [each.embeddings.users @ each.embeddings.scoring_items.T for each in (there, here)]
    assert close(*scores)
    assert here.neighbours is not None
    assert there.neighbours is not None
    assert (here.neighbours.weights != there.neighbours.weights).nnz == 0
    assert there.neighbours.strength == pytest.approx(here.neighbours.strength, rel=1e-4)
    assert not (SPARK.scratch_in(on_spark(config).workspace) / "train").exists(), "the scratch folder is removed"


def test_a_model_turned_into_the_space_of_the_serving_version(spark, day_after, night: Path) -> None:
    """And weighed anew, because evaluate chose a half-life."""
    config = config_of(night, "aligned")
    choice = Choice(metric="ndcg@20", prepare={"half_life_days": 40.0})
    local, other = both(config, day_after[1].model_copy(update={"choice": choice}))
    compare(config, local, other)
    assert other.training.aligned_to
    assert other.cleaning is not None
    here, there = models(config)
    assert close(there.embeddings.items, here.embeddings.items)
    data = on_spark(config).workspace / "train" / "data"
    for name in ("popularity.npy", "matrix/matrix.data.npy"):
        assert np.array_equal(np.load(data / name), np.load(config.workspace / "train" / "data" / name)), name


def test_a_warm_start(spark, day_after, night: Path) -> None:
    config = config_of(night, "warm")
    local, other = both(config, day_after[1])
    compare(config, local, other)
    assert other.training.started_from
    here, there = models(config)
    assert close(there.embeddings.items, here.embeddings.items)


def test_another_algorithm_is_refused_before_any_work(shop: Path) -> None:
    shop.write_text(shop.read_text().split("[model]")[0] + '[model]\nalgorithm = "svd"\n')
    config = on_spark(load_config(shop))
    with pytest.raises(ConfigError, match=r'model.algorithm: compute.engine = "spark" trains "als", got .svd.'):
        train_on_spark(config, Workspace(config.workspace), progress=silent)
