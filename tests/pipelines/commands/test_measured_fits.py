"""Fits that are looked at after every iteration, and the users whose questions they answer."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys.data.event_weights import EventWeights
from recsys.data.interactions import Interactions
from recsys.data.splits.split import make_split
from recsys.data.splits.strategies import validation_part
from recsys.errors import ModelError
from recsys.evaluation.evaluator import evaluate
from recsys.models.factors.embedding_recommender import EmbeddingRecommender
from recsys.models.factors.training import train_model
from recsys.pipeline_config import PipelineConfig
from recsys.retrieval.exact import ExactSearch
from recsys.tuning.measured_fits import EXPONENTS, explore, measure
from recsys.tuning.validation import Questions, Validation

SPLITS: dict[str, dict[str, Any]] = {
    "temporal": {},
    "last_n": {"last_n": 2},
    "held_out_users": {"user_share": 0.3},
    "given": {"holdout_paths": (Path("none.csv"),)},
}


def always(*_: Any) -> bool:
    return True


@pytest.fixture(scope="module")
def events(finished: Any) -> Interactions:
    return Interactions.load(finished[0].workspace / "prepare" / "events")


@pytest.fixture(scope="module")
def config(finished: Any) -> PipelineConfig:
    whole: PipelineConfig = finished[0]
    return whole.model_copy(update={"model": whole.model.model_copy(update={"factors": 4})})


@pytest.fixture(scope="module")
def questions(events: Interactions, config: PipelineConfig) -> Questions:
    return Validation(events, config, n_users=5_000).questions(config)


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("start", ["spectral", "random"])
def test_what_is_measured_is_what_the_evaluator_says(
    events: Interactions, config: PipelineConfig, split: str, start: str
) -> None:
    """The same figure as the pipeline's own training and evaluation on the validation part."""
    settings = config.evaluate.model_copy(update={"split": split, **SPLITS[split]})
    model = config.model.model_copy(update={"start": start, "popularity_exponent": 0.15})
    config = config.model_copy(update={"evaluate": settings, "model": model})
    part = validation_part(events, settings)
    again = make_split(
        part.events,
        part.evaluate,
        prepare=config.prepare,
        weights=EventWeights.of(config.log, config.prepare),
        given=part.given,
    )
    trained = train_model(again.train, model)
    reference = evaluate(
        EmbeddingRecommender("als", trained, ExactSearch(trained.embeddings.scoring_items)), again, cutoffs=(5, 20)
    )
    measured = measure(Validation(events, config, n_users=5_000).questions(config), model, keep_on=always)
    assert measured is not None
    np.testing.assert_allclose(measured.per_user, reference.per_user["ndcg@20"])


def test_blocks_are_put_together_again(
    questions: Questions, config: PipelineConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = measure(questions, config.model, keep_on=always)
    monkeypatch.setattr("recsys.tuning.validation._SCORES_PER_BLOCK", 7 * questions.train.shape[1])
    blocks = measure(questions, config.model, keep_on=always)
    assert whole is not None
    assert blocks is not None
    np.testing.assert_allclose(blocks.per_user, whole.per_user)


def test_the_best_of_a_fit_is_what_its_settings_reach(questions: Questions, config: PipelineConfig) -> None:
    model = config.model.model_copy(update={"iterations": 20})
    seen: list[float] = []
    best = explore(questions, model, keep_on=lambda done, score: seen.append(score) is None)
    assert best is not None
    assert best.score == max(seen)
    assert best.iterations == 1 + int(np.argmax(seen))
    assert len(seen) == best.iterations + 2  # two more, which brought nothing
    assert best.popularity_exponent in EXPONENTS
    found = {"iterations": best.iterations, "popularity_exponent": best.popularity_exponent}
    exact = measure(questions, config.model.model_copy(update=found), keep_on=always)
    assert exact is not None
    np.testing.assert_array_equal(exact.per_user, best.per_user)


def test_a_fit_can_be_ended_early(questions: Questions, config: PipelineConfig) -> None:
    first = explore(questions, config.model, keep_on=lambda done, score: False)
    assert first is not None
    assert first.iterations == 1
    assert measure(questions, config.model, keep_on=lambda: False) is None


def test_vectors_that_are_not_finite_are_an_error(questions: Questions, config: PipelineConfig) -> None:
    wild = config.model.model_copy(update={"regularization": 0.0, "alpha": 1e30})
    with pytest.raises(ModelError):
        explore(questions, wild, keep_on=always)


def test_a_sample_is_the_same_users_for_every_configuration(events: Interactions, config: PipelineConfig) -> None:
    validation = Validation(events, config, n_users=40)
    assert len(validation.users) == 40
    assert validation.questions(config).n_users == 40
    thinner = config.model_copy(update={"prepare": config.prepare.model_copy(update={"min_user_items": 25})})
    some = validation.questions(thinner)
    assert 0 < len(some.place) < 40
    assert some.history.shape[0] == some.holdout.shape[0] == len(some.place)
    measured = measure(some, config.model, keep_on=always)
    assert measured is not None
    assert measured.per_user.shape == (40,)
    assert not np.delete(measured.per_user, some.place).any()
    again = Validation(events, config, n_users=40)
    assert again.users.ids.equals(validation.users.ids)
