"""Fits that are measured after every iteration, on the same validation users under every setting."""

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys.data.event_weights import EventWeights
from recsys.data.interactions import Interactions
from recsys.data.splits.split import Split, make_split
from recsys.data.splits.strategies import validation_part
from recsys.errors import ModelError
from recsys.evaluation.evaluator import Evaluation, evaluate
from recsys.models.factors.model import FactorModel, FactorRecommender
from recsys.models.registry import fit_model, model_config, publishable
from recsys.pipeline_config import PipelineConfig
from recsys.retrieval.exact import ExactSearch
from recsys.tuning.early_stopping import explore, measure, stop_on_validation
from recsys.tuning.list_quality import Ranked
from recsys.tuning.measured import EXPONENTS, Measured
from recsys.tuning.settings import FOUND
from recsys.tuning.tradeoff import TRADEOFF_EXPONENTS
from recsys.tuning.validation import Validation, ValidationSet

SPLITS: dict[str, dict[str, Any]] = {
    "temporal": {},
    "last_n": {"last_n": 2},
    "held_out_users": {"user_share": 0.3},
    "given": {"holdout_paths": (Path("none.csv"),)},
}


QUICK: dict[str, dict[str, int]] = defaultdict(dict, bpr={"iterations": 4}, item2vec={"epochs": 2})


def always(*_: Any) -> bool:
    return True


def with_model(config: PipelineConfig, **changes: Any) -> PipelineConfig:
    return config.model_copy(update={"model": config.model.model_copy(update=changes)})


def validation_split(events: Interactions, config: PipelineConfig) -> Split:
    part, weights = validation_part(events, config.evaluate), EventWeights.of(config.log, config.prepare)
    return make_split(part.events, part.evaluate, prepare=config.prepare, weights=weights, given=part.given)


def evaluated(split: Split, config: PipelineConfig) -> Evaluation:
    """What the job's own training and evaluation say."""
    model = fit_model(split.train, config.model)
    recommender = FactorRecommender("als", model, ExactSearch(model.embeddings.scoring_items))
    return evaluate(recommender, split, cutoffs=(5, 20))


@pytest.fixture(scope="module")
def small(config: PipelineConfig) -> PipelineConfig:
    """The shop's configuration with four factors."""
    return with_model(config, factors=4)


@pytest.fixture(scope="module")
def data(events: Interactions, small: PipelineConfig) -> ValidationSet:
    return Validation(events, small, n_users=5_000).under(small)


class TestMeasuredFits:
    @pytest.mark.parametrize("split", SPLITS)
    @pytest.mark.parametrize("start", ["spectral", "random"])
    def test_the_score_is_that_of_the_evaluator(
        self, events: Interactions, small: PipelineConfig, split: str, start: str
    ) -> None:
        settings = small.evaluate.model_copy(update={"split": split, **SPLITS[split]})
        config = with_model(small, start=start, popularity_exponent=0.15).model_copy(update={"evaluate": settings})
        reference = evaluated(validation_split(events, config), config)
        measured = measure(Validation(events, config, n_users=5_000).under(config), config.model, keep_on=always)
        assert measured is not None
        np.testing.assert_allclose(measured.per_user, reference.per_user["ndcg@20"])
        assert measured.coverage == reference.overall["coverage@20"]

    @pytest.mark.parametrize("algorithm", sorted(publishable()))
    @pytest.mark.parametrize("split", ["temporal", "held_out_users"])
    def test_the_score_of_every_algorithm_is_that_of_the_evaluator(
        self, events: Interactions, config: PipelineConfig, split: str, algorithm: str
    ) -> None:
        model = model_config({"algorithm": algorithm, "factors": 6, "popularity_exponent": 0.15, **QUICK[algorithm]})
        settings = config.evaluate.model_copy(update={"split": split, **SPLITS[split]})
        config = config.model_copy(update={"evaluate": settings, "model": model})
        reference = evaluated(validation_split(events, config), config)
        measured = measure(Validation(events, config, n_users=5_000).under(config), model, keep_on=always)
        assert measured is not None
        np.testing.assert_allclose(measured.per_user, reference.per_user["ndcg@20"])

    def test_blocks_give_what_one_product_gives(self, data: ValidationSet, small: PipelineConfig) -> None:
        model = fit_model(data.train, small.model)
        vectors = data.user_vectors(model)
        whole = data.quality(vectors, model, EXPONENTS).per_user
        blocks = data.quality(vectors, model, EXPONENTS, scores_per_block=7 * data.train.n_items).per_user
        np.testing.assert_allclose(blocks, whole)
        assert whole.shape == (len(EXPONENTS), 1, data.n_users)

    def test_users_and_strengths_of_a_shorter_fit_are_those_it_would_end_with(
        self, data: ValidationSet, small: PipelineConfig
    ) -> None:
        asked = with_model(small, neighbours=10, neighbours_share=1.0, iterations=2).model
        seen = []

        def look(done: int, fitted: FactorModel) -> None:
            vectors = data.user_vectors(fitted)
            seen.append((vectors, Ranked.of(data, vectors, fitted, (0.1,), data.blend(asked), (1.0,)).strengths))

        fit_model(data.train, asked, start=data.spectral_start(asked), on_iteration=look)
        shorter = with_model(small, neighbours=10, neighbours_share=1.0, iterations=1, popularity_exponent=0.1).model
        ended = fit_model(data.train, shorter, start=data.spectral_start(shorter))
        np.testing.assert_array_equal(seen[0][0], ended.embeddings.users[data.user_idx])
        assert ended.neighbours is not None
        assert seen[0][1][0, 0] == np.float32(ended.neighbours.strength)

    def test_zero_vectors_have_no_list_and_stand_in_none(self, data: ValidationSet, small: PipelineConfig) -> None:
        model = fit_model(data.train, small.model)
        users, items = model.embeddings.users.copy(), -model.embeddings.items  # nearly all scores are negative
        users[data.user_idx[:3]] = 0
        best = int(np.bincount(data.holdout.indices).argmax())
        items[best] = 0  # would be first in nearly all lists
        emptied = model.with_embeddings(replace(model.embeddings, users=users, items=items))
        scored = data.quality(users[data.user_idx], emptied, (0.0,)).per_user[0, 0]
        assert not scored[:3].any()
        sought = data.holdout[:, [best]].toarray()[:, 0] > 0
        only_that = np.flatnonzero((np.diff(data.holdout.indptr) == 1) & sought)
        assert len(only_that)
        assert not scored[only_that].any()

    def test_the_best_of_a_fit_is_what_its_settings_reach(self, data: ValidationSet, small: PipelineConfig) -> None:
        seen: list[float] = []
        model = small.model.model_copy(update={"iterations": 20})
        best = explore(data, model, keep_on=lambda done, score: seen.append(score) is None)
        assert best.score == max(seen)
        assert best.iterations == 1 + int(np.argmax(seen))
        assert len(seen) == best.iterations + 2  # two more, which were no better
        assert best.popularity_exponent in EXPONENTS
        found = {name: getattr(best, name) for name in FOUND}
        exact = measure(data, small.model.model_copy(update=found), keep_on=always)
        assert exact is not None
        np.testing.assert_allclose(exact.per_user, best.per_user)

    def test_a_fit_can_be_ended_early(self, data: ValidationSet, small: PipelineConfig) -> None:
        assert explore(data, small.model, keep_on=lambda done, score: False).iterations == 1
        assert measure(data, small.model, keep_on=lambda: False) is None

    def test_vectors_that_are_not_finite_are_an_error(self, data: ValidationSet, small: PipelineConfig) -> None:
        wild = small.model.model_copy(update={"regularization": 0.0, "alpha": 1e30})
        with pytest.raises(ModelError, match=r"finite|NaN"):
            explore(data, wild, keep_on=always)

    def test_a_sample_is_the_same_users_for_every_configuration(
        self, events: Interactions, small: PipelineConfig
    ) -> None:
        validation = Validation(events, small, n_users=40)
        assert len(validation.users) == 40
        assert validation.under(small).n_users == 40
        thinner = small.model_copy(update={"prepare": small.prepare.model_copy(update={"min_user_items": 25})})
        some = validation.under(thinner)
        assert 0 < len(some.user) < 40
        assert some.history.shape[0] == some.holdout.shape[0] == len(some.user)
        measured = measure(some, small.model, keep_on=always)
        assert measured is not None
        assert measured.per_user.shape == (40,)
        assert not np.delete(measured.per_user, some.user).any()
        again = Validation(events, small, n_users=40)
        assert again.users.ids.equals(validation.users.ids)


class TestTradeoff:
    def test_its_points_are_what_the_evaluator_says(self, events: Interactions, config: PipelineConfig) -> None:
        config = with_model(config, iterations=1, popularity_exponent=0.15)
        _, tradeoff = stop_on_validation(events, config)
        assert tradeoff is not None
        assert (tradeoff.metric, tradeoff.popularity_exponent) == ("ndcg@20", 0.15)
        assert [point.popularity_exponent for point in tradeoff.points] == sorted((*TRADEOFF_EXPONENTS, 0.15))
        split = validation_split(events, config)
        for point in tradeoff.points[::3]:
            means = evaluated(split, with_model(config, popularity_exponent=point.popularity_exponent)).means()
            told = (point.score, point.coverage, point.popularity_bias)
            assert told == pytest.approx([means[f"{name}@20"] for name in ("ndcg", "coverage", "popularity_bias")])
        assert tradeoff.points[0].coverage > tradeoff.points[-1].coverage
        assert (tradeoff.points[0].popularity_bias or 0) < (tradeoff.points[-1].popularity_bias or 0)

    def test_some_users_stand_for_all_of_a_large_set(self, data: ValidationSet) -> None:
        some = data.some(10)
        assert (some.n_users, len(some.user)) == (10, 10)
        assert {0, len(data.user) - 1} <= {int((data.user_idx == row).argmax()) for row in some.user_idx}
        assert data.some(len(data.user)) is data

    def test_a_weight_of_coverage_chooses_another_exponent(self, events: Interactions, small: PipelineConfig) -> None:
        def best(weight: float) -> Measured:
            data = Validation(events, small, n_users=5_000, coverage_weight=weight).under(small)
            return explore(data, small.model, keep_on=always)

        accurate, broad = best(0.0), best(5.0)
        assert accurate.score > broad.score
        assert accurate.coverage < broad.coverage
        assert broad.objective == pytest.approx(broad.score + 5 * broad.coverage)


class TestEarlyStopping:
    def test_the_curve_is_what_separate_fits_reach(self, events: Interactions, config: PipelineConfig) -> None:
        split = validation_split(events, config)
        reached = [
            evaluated(split, with_model(config, iterations=iterations)).means()["ndcg@20"] for iterations in (1, 2, 3)
        ]
        stopping, _ = stop_on_validation(events, config)
        np.testing.assert_allclose(stopping.curve, reached, atol=1e-9)
        assert stopping.iterations == int(np.argmax(reached)) + 1
        assert stopping.n_users == len(split.user_ids)

    def test_it_ends_after_two_iterations_that_are_no_better(
        self, events: Interactions, config: PipelineConfig
    ) -> None:
        steps: list[tuple[str, int, int]] = []
        longer = with_model(config, iterations=60, alpha=40.0, regularization=0.5)
        stopping, _ = stop_on_validation(events, longer, progress=lambda *step: steps.append(step))
        assert len(stopping.curve) == stopping.iterations + 2 < 60
        assert max(stopping.curve) == stopping.curve[stopping.iterations - 1]
        assert steps[-1] == ("als", len(stopping.curve), 60)

    def test_a_log_that_is_too_small_keeps_the_configured_number(
        self, events: Interactions, config: PipelineConfig
    ) -> None:
        days = config.evaluate.model_copy(update={"holdout": int(np.ptp(events.timestamp) * 0.7)})
        stopping, _ = stop_on_validation(events, config.model_copy(update={"evaluate": days}))
        assert stopping.iterations == config.model.iterations
        assert stopping.curve == ()
        assert "held out" in (stopping.reason or "")

    def test_a_model_whose_iterations_change_little_is_measured_after_some_of_them(
        self, events: Interactions, config: PipelineConfig
    ) -> None:
        model = model_config({"algorithm": "bpr", "factors": 8, "iterations": 40})
        stopping, _ = stop_on_validation(events, config.model_copy(update={"model": model}))
        assert stopping is not None
        assert stopping.measured_after == tuple(range(4, 41, 4))[: len(stopping.curve)]
        assert stopping.iterations == stopping.measured_after[int(np.argmax(stopping.curve))]

    @pytest.mark.parametrize("model", [{"algorithm": "svd"}, {"early_stopping": False}])
    def test_a_model_without_iterations_or_that_asks_for_none_is_not_stopped(
        self, events: Interactions, config: PipelineConfig, model: dict[str, Any]
    ) -> None:
        assert stop_on_validation(events, config.model_copy(update={"model": model_config(model)})) == (None, None)
