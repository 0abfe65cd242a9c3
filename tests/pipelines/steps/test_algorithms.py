"""Every model that can be served runs through the whole job, and so does one that only this file knows."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from pydantic import Field

from pipelines.forecast.forecast import forecast
from pipelines.steps.run import run
from recsys.artifacts.registry import Registry
from recsys.data.matrix import InteractionMatrix
from recsys.engine import Engine, Event, Question
from recsys.models.algorithm import Algorithm
from recsys.models.factors.config import FactorModelConfig
from recsys.models.factors.item2vec import unavailable
from recsys.models.factors.linear import LinearFactorModel, linear_model
from recsys.models.registry import ALGORITHMS, publishable
from recsys.pipeline_config import PipelineConfig, load_config
from recsys.progress import Progress, silent

Night = tuple[PipelineConfig, dict[str, Any]]


class ToyConfig(FactorModelConfig):
    """Popularity as a model of embeddings: a number per item, the same number for every user."""

    algorithm: Literal["toy"] = Field("toy", description="popularity")
    power: float = Field(1.0, gt=0, description="of the popularity")


def train_toy(matrix: InteractionMatrix, config: ToyConfig, *, progress: Progress = silent) -> LinearFactorModel:
    popularity = np.bincount(matrix.csr.indices, minlength=matrix.n_items)[:, None] ** config.power
    ones = np.ones((matrix.n_items, 1), np.float32)
    return linear_model(
        "toy",
        matrix.csr,
        sources=ones,
        items=popularity.astype(np.float32),
        transform="mean",
        popularity_exponent=config.popularity_exponent,
    )


SMALL: dict[str, dict[str, Any]] = {
    "als": {"factors": 8, "alpha": 3.0, "regularization": 10.0, "iterations": 3},
    "bpr": {"factors": 8, "iterations": 30},
    "svd": {"factors": 8},
    "item2vec": {"factors": 8, "epochs": 5},
    "glove": {"factors": 8},
    "toy": {"power": 0.5},
}


@pytest.fixture(scope="module", params=[*publishable(), "toy"])
def night(
    request: pytest.FixtureRequest, written: tuple[Path, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Night]:
    """The first of two nights under one algorithm: its configuration, and the summaries."""
    name: str = request.param
    if name == "item2vec" and unavailable():
        pytest.skip("the extra `baselines` is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ALGORITHMS, "toy", Algorithm(ToyConfig, train_toy, LinearFactorModel.load))
        shop = shutil.copytree(written[0], tmp_path_factory.mktemp(name) / "shop") / "pipeline.toml"
        text = shop.read_text(encoding="utf-8").partition("[model]")[0]
        shop.write_text(f'{text}[model]\nalgorithm = "{name}"\n', encoding="utf-8")
        overrides = {f"model.{key}": value for key, value in SMALL[name].items()}
        overrides |= {"publish.must_beat_popular": False, "publish.max_metric_drop": 1.0}
        config = load_config(shop, overrides={**overrides, "model.continuity": "aligned", "model.auto": False})
        summaries = run(config, progress=silent)
        yield config, summaries


def test_it_is_evaluated_published_and_named(night: Night) -> None:
    config, summaries = night
    name = config.model.algorithm
    assert summaries.evaluate.means[name] > 0
    assert summaries.publish.verdict == "accepted"
    manifest = Registry(config.publish.store).serving_manifest()
    assert manifest is not None
    found = {"session_weight": manifest.config["model"]["session_weight"]}  # by evaluate, as it is not set
    assert found["session_weight"] >= 1
    assert manifest.config["model"] == config.model.model_dump(mode="json") | found
    assert f"| {name} |" in (config.workspace / "report.md").read_text(encoding="utf-8")


def test_it_knows_users_and_visitors_and_says_why(night: Night) -> None:
    config, _ = night
    engine = Engine(Registry(config.publish.store).load())
    user = engine.user_ids.id_at(7)
    seen = [item.item_id for item in engine.history(user)]
    known = engine.recommend(user, k=5)
    assert known.user_status == "known"
    assert not {item.item_id for item in known.items} & set(seen)
    events = tuple(Event(item, "purchase", 1.0) for item in seen[:3])
    answer = engine.ask(Question(events=events, k=5, explain=True))
    assert len(answer.items) == 5
    for item in answer.items:
        total = sum(reason.contribution for reason in item.reasons) + item.rest
        assert total == pytest.approx(item.score, rel=1e-4, abs=1e-6)
    assert len(engine.similar(seen[0], k=3).items) == 3


def test_the_next_night_is_aligned_and_changes_no_list(night: Night) -> None:
    """The vectors are turned into the space of the version that serves; a bit of the log is new."""
    config, first = night
    before = Registry(config.publish.store).load()
    newest = sorted(path for path in config.log.paths[0].parent.iterdir() if path.suffix == ".csv")[-1]
    newest.write_bytes(b"".join(newest.read_bytes().splitlines(keepends=True)[:-20]))
    done = run(config, progress=silent)
    assert done.train.training.aligned_to == before.manifest.version
    assert done.train.training.mean_item_cosine > 0.5
    assert first.publish.version != done.publish.version


def test_the_doctor_forecasts_it(night: Night) -> None:
    config, _ = night
    found = forecast(config, quick=True, progress=silent)
    assert [step.step for step in found.steps] == ["prepare", "evaluate", "train", "index", "publish"]
    assert all(found.fits(step) for step in found.steps)
    assert found.seconds["train"] > 0
