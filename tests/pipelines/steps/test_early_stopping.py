"""Early stopping in the job: what is evaluated and what is published have the number of iterations it found."""

import json
from pathlib import Path

import pytest

from pipelines.steps.run import run
from pipelines.steps.workspace import Workspace
from recsys.data.event_weights import EventWeights
from recsys.data.interactions import Interactions
from recsys.data.splits.split import make_split
from recsys.evaluation.evaluator import evaluate
from recsys.models.factors.model import FactorRecommender
from recsys.models.registry import fit_model
from recsys.pipeline_config import load_config
from recsys.progress import silent
from recsys.retrieval.exact import ExactSearch


@pytest.mark.parametrize("early", [True, False])
def test_what_is_evaluated_and_what_is_published_have_that_many_iterations(shop: Path, early: bool) -> None:
    given = {"model.iterations": 8, "model.alpha": 40.0, "model.log_loss": True, "model.early_stopping": early}
    config = load_config(shop, overrides=given)
    summaries = run(config, progress=silent)
    stopping, losses = summaries.evaluate.stopping, summaries.train.losses
    if not early:
        assert stopping is None
        assert len(losses) == 8
        return
    assert len(losses) == stopping.iterations < 8
    evaluated = summaries.evaluate.means["als"]
    events = Interactions.load(Workspace(config.workspace).folder("prepare") / "events")
    weights = EventWeights.of(config.log, config.prepare)
    split = make_split(events, config.evaluate, prepare=config.prepare, weights=weights)
    model = fit_model(split.train, config.model.model_copy(update={"iterations": stopping.iterations}))
    ranked = FactorRecommender("als", model, ExactSearch(model.embeddings.scoring_items))
    assert evaluate(ranked, split, cutoffs=(20,)).means()["ndcg@20"] == pytest.approx(evaluated)
    report = json.loads(Workspace(config.workspace).report_json.read_text())
    assert report["stopping"]["iterations"] == stopping.iterations
