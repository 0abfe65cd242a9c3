"""Settings of baselines: searched on the validation part, and nothing else."""

import numpy as np
import pytest

from recsys.data.event_weights import EventWeights
from recsys.data.interactions import Interactions
from recsys.data.splits.split import make_split
from recsys.data.splits.strategies import validation_part
from recsys.evaluation.evaluator import evaluate
from recsys.models.neighbours.ease import EaseRecommender
from recsys.models.neighbours.regularization import VALUES
from recsys.pipeline_config import PipelineConfig
from recsys.tuning.baseline_settings import baseline_settings


def test_the_regularization_of_ease_is_the_best_on_the_validation_part(
    events: Interactions, config: PipelineConfig
) -> None:
    part, weights = validation_part(events, config.evaluate), EventWeights.of(config.log, config.prepare)
    split = make_split(part.events, part.evaluate, prepare=config.prepare, weights=weights, given=part.given)
    reached = [
        evaluate(EaseRecommender.fit(split.train, regularization=value), split, cutoffs=(20,)).means()["ndcg@20"]
        for value in VALUES
    ]
    chosen = baseline_settings(events, config, ("popular", "ease"), n_items=120)["ease"]["regularization"]
    assert reached[VALUES.index(chosen)] == pytest.approx(max(reached), abs=1e-4)


def test_without_ease_or_a_validation_part_nothing_is_searched(events: Interactions, config: PipelineConfig) -> None:
    assert baseline_settings(events, config, ("popular", "item_knn"), n_items=120) == {}
    days = config.evaluate.model_copy(update={"holdout": int(np.ptp(events.timestamp) * 0.7)})
    assert baseline_settings(events, config.model_copy(update={"evaluate": days}), ("ease",), n_items=120) == {}


def test_too_many_items_leave_the_default_and_are_told(
    events: Interactions, config: PipelineConfig, caplog: pytest.LogCaptureFixture
) -> None:
    assert baseline_settings(events, config, ("ease",), n_items=10**6) == {}
    assert caplog.messages == ["ease: default regularization 250, because 1000000 items are too many to search"]
