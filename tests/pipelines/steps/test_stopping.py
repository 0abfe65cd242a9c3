"""How many iterations are trained: as many as were best on a part of the train side."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.steps.run import run
from pipelines.steps.stopping import stop_on_validation
from pipelines.steps.workspace import Workspace
from recsys.data.event_weights import EventWeights
from recsys.data.interactions import Interactions
from recsys.data.splits.split import make_split
from recsys.data.splits.strategies import validation_part
from recsys.evaluation.evaluator import evaluate
from recsys.models.factors.embedding_recommender import EmbeddingRecommender
from recsys.models.factors.training import train_model
from recsys.pipeline_config import PipelineConfig, load_config
from recsys.progress import silent
from recsys.retrieval.exact import ExactSearch


def _with(config: PipelineConfig, **model: Any) -> PipelineConfig:
    return config.model_copy(update={"model": config.model.model_copy(update=model)})


@pytest.fixture(scope="module")
def events(finished: Any) -> Interactions:
    return Interactions.load(finished[0].workspace / "prepare" / "events")


def test_the_curve_is_what_separate_fits_reach_on_the_validation_part(finished: Any, events: Interactions) -> None:
    config = _with(finished[0], iterations=3, early_stopping=True)
    part = validation_part(events, config.evaluate)
    split = make_split(
        part.events,
        part.evaluate,
        prepare=config.prepare,
        weights=EventWeights.of(config.log, config.prepare),
        given=part.given,
    )
    reached = []
    for iterations in (1, 2, 3):
        model = train_model(split.train, config.model.model_copy(update={"iterations": iterations}))
        ranked = EmbeddingRecommender("als", model, ExactSearch(model.embeddings.scoring_items))
        reached.append(evaluate(ranked, split, cutoffs=(20,)).means()["ndcg@20"])
    stopping = stop_on_validation(events, config)
    np.testing.assert_allclose(stopping.curve, reached, atol=1e-9)
    assert stopping.iterations == int(np.argmax(reached)) + 1
    assert stopping.n_users == len(split.user_ids)


def test_it_gives_up_when_two_iterations_in_turn_bring_nothing(finished: Any, events: Interactions) -> None:
    told: list[tuple[str, int, int]] = []
    config = _with(finished[0], iterations=60, alpha=40.0, regularization=0.5)
    stopping = stop_on_validation(events, config, progress=lambda *step: told.append(step))
    assert len(stopping.curve) == stopping.iterations + 2 < 60
    assert max(stopping.curve) == stopping.curve[stopping.iterations - 1]
    assert told[-1] == ("als", len(stopping.curve), 60)


def test_a_log_too_thin_to_be_cut_once_more_keeps_the_number_asked_for(finished: Any, events: Interactions) -> None:
    config: PipelineConfig = finished[0]
    days = config.evaluate.model_copy(update={"holdout": int(np.ptp(events.timestamp) * 0.7)})
    stopping = stop_on_validation(events, config.model_copy(update={"evaluate": days}))
    assert stopping.iterations == config.model.iterations
    assert stopping.curve == ()
    assert "held out" in (stopping.reason or "")


@pytest.mark.parametrize("early", [True, False])
def test_what_is_evaluated_and_what_is_published_have_that_many_iterations(shop: Path, early: bool) -> None:
    given = {"model.iterations": 8, "model.alpha": 40.0, "model.log_loss": True, "model.early_stopping": early}
    config = load_config(shop, overrides=given)
    summaries = run(config, progress=silent)
    stopping, losses = summaries["evaluate"]["stopping"], summaries["train"]["losses"]
    if not early:
        assert stopping is None
        assert len(losses) == 8
        return
    assert len(losses) == stopping["iterations"] < 8
    evaluated = summaries["evaluate"]["means"]["als"]
    events = Interactions.load(Workspace(config.workspace).folder("prepare") / "events")
    split = make_split(
        events, config.evaluate, prepare=config.prepare, weights=EventWeights.of(config.log, config.prepare)
    )
    model = train_model(split.train, config.model.model_copy(update={"iterations": stopping["iterations"]}))
    ranked = EmbeddingRecommender("als", model, ExactSearch(model.embeddings.scoring_items))
    assert evaluate(ranked, split, cutoffs=(20,)).means()["ndcg@20"] == pytest.approx(evaluated)
    report = json.loads(Workspace(config.workspace).report_json.read_text())
    assert report["stopping"]["iterations"] == stopping["iterations"]
