"""The short search of a night: what `[model]` does not set, on a planted log."""

from typing import Any

import numpy as np
import pytest

from recsys.data.interactions import Interactions
from recsys.errors import ModelError
from recsys.models.factors.config import FactorModelConfig
from recsys.models.registry import model_config
from recsys.pipeline_config import PipelineConfig
from recsys.tuning.candidates import sizes
from recsys.tuning.early_stopping import measure
from recsys.tuning.found import Found, Serving
from recsys.tuning.short_search import choose_settings
from recsys.tuning.validation import Validation

# What costs time and is not looked at here.
pytestmark = pytest.mark.slow
SET = {"start": "spectral", "iterations": 3, "neighbours": 0}


def under(config: PipelineConfig, **section: Any) -> PipelineConfig:
    return config.model_copy(update={"model": model_config(section)})


def reached(events: Interactions, config: PipelineConfig, model: FactorModelConfig) -> float:
    data = Validation(events, config, n_users=2_000).under(config)
    measured = measure(data, model, keep_on=lambda: True)
    assert measured is not None
    return measured.score


@pytest.fixture(scope="module")
def found(events: Interactions, config: PipelineConfig) -> Found:
    return choose_settings(events, under(config, **SET))


class TestWhatIsChosen:
    def test_it_reaches_the_score_it_was_chosen_for(
        self, events: Interactions, config: PipelineConfig, found: Found
    ) -> None:
        model = found.applied(under(config, **SET)).model
        assert found.choice is not None
        assert reached(events, config, model) == pytest.approx(found.choice.score)
        assert found.choice.score == max(attempt.score for attempt in found.choice.attempts)

    def test_it_is_better_than_the_defaults(self, events: Interactions, config: PipelineConfig, found: Found) -> None:
        assert found.choice is not None
        assert (found.choice.score or 0.0) > 1.05 * reached(events, config, model_config({}))

    def test_what_is_set_stays(self, events: Interactions, config: PipelineConfig) -> None:
        section = {
            **SET,
            "weighting": "log",
            "factors": 8,
            "popularity_exponent": 0.05,
            "alpha": 2.0,
            "neighbours": 20,
        }
        choice = choose_settings(events, under(config, **section)).choice
        assert choice is not None
        assert set(choice.settings) == {"regularization", "neighbours_share"}
        assert len({attempt.settings["regularization"] for attempt in choice.attempts}) >= 3

    @pytest.mark.parametrize(
        "kinds",
        [
            {"weighting": "plain"},
            {"weighting": "plain", "start": "random"},
            {"weighting": "log", "start": "random"},
            {"weighting": "bm25", "start": "random"},
            {"start": "random"},
        ],
    )
    def test_any_weighting_and_start_may_be_set(
        self, events: Interactions, config: PipelineConfig, kinds: dict[str, Any]
    ) -> None:
        section = {"start": "spectral", "iterations": 2, "neighbours": 0, "factors": 8, **kinds}
        choice = choose_settings(events, under(config, **section)).choice
        assert choice is not None
        assert {"alpha", "regularization"} <= set(choice.settings)
        assert not set(kinds) & set(choice.settings)
        assert len({attempt.settings["regularization"] for attempt in choice.attempts}) >= 3

    def test_no_regularization_may_be_set(self, events: Interactions, config: PipelineConfig) -> None:
        choice = choose_settings(events, under(config, **SET, factors=8, regularization=0)).choice
        assert choice is not None
        assert all(float(str(attempt.settings["alpha"])) > 0 for attempt in choice.attempts)

    def test_the_same_log_gives_the_same_choice(
        self, events: Interactions, config: PipelineConfig, found: Found
    ) -> None:
        assert choose_settings(events, under(config, **SET)) == found

    def test_a_large_log_is_searched_on_a_sample_first(self, events: Interactions, config: PipelineConfig) -> None:
        data = Validation(events, config, n_users=2_000).under(config)
        part = data.sample(150, 60, seed=1)
        assert part.n_users == 60
        assert 150 <= part.train.n_users < 211
        assert part.user_idx is not None
        assert data.user_idx is not None
        for at, row in enumerate(part.user_idx):
            whole, _ = data.train.users.encode(part.train.users.take(part.user_idx[[at]]).ids)
            place = int(np.flatnonzero(data.user_idx == whole[0])[0])
            assert (part.train.csr[row] != data.train.csr[whole[0]]).nnz == 0
            assert (part.holdout[at] != data.holdout[place]).nnz == 0
        assert data.sample(10**6, 10**6, seed=1) is data

    def test_the_work_is_bounded(self, events: Interactions, config: PipelineConfig) -> None:
        few = choose_settings(events, under(config, **SET, auto_share=0.01), least_work=1e5).choice
        assert few is not None
        assert few.settings
        assert len(few.attempts) == 2

    def test_a_fit_that_the_work_cut_is_trained_for_the_default_iterations(
        self, events: Interactions, config: PipelineConfig
    ) -> None:
        section = {"start": "spectral", "neighbours": 0, "auto_share": 0.01}
        cut = choose_settings(events, under(config, **section), least_work=1e5)
        assert cut.choice is not None
        assert cut.choice.ended_early == 1
        assert cut.choice.settings["iterations"] == 5
        assert cut.stopping is not None
        assert (cut.stopping.iterations, cut.stopping.measured_after) == (5, (1,))
        three = choose_settings(events, under(config, **section, iterations=3), least_work=1e5)
        assert three.applied(under(config, **section)).model.iterations == 3

    def test_a_fit_that_ended_by_itself_is_not_cut(self, found: Found) -> None:
        assert found.choice is not None
        assert found.choice.ended_early is None


class TestWhatIsNotSearched:
    @pytest.mark.parametrize("section", [{"auto": False}, {"algorithm": "svd", "factors": 8, "auto": False}])
    def test_nothing_is_searched_unless_it_is_asked_for(
        self, events: Interactions, config: PipelineConfig, section: dict[str, Any]
    ) -> None:
        found = choose_settings(events, under(config, **section))
        assert found.choice is None
        assert found.applied(under(config, **section)).model.learned_by() == model_config(section).learned_by()

    def test_nothing_is_searched_if_everything_is_set(self, events: Interactions, config: PipelineConfig) -> None:
        section = model_config({"iterations": 2}).model_dump()
        assert choose_settings(events, under(config, **section)).choice is None

    def test_too_few_validation_users_leave_the_defaults(self, events: Interactions, config: PipelineConfig) -> None:
        publish = config.publish.model_copy(update={"min_users": 10_000})
        found = choose_settings(events, under(config, **SET).model_copy(update={"publish": publish}))
        assert found.choice is not None
        assert not found.choice.settings
        assert "min_users" in (found.choice.reason or "")
        assert found.stopping is not None

    def test_a_model_that_cannot_be_fitted_is_refused(self, events: Interactions, config: PipelineConfig) -> None:
        given = under(config, algorithm="bpr", iterations=10)
        wild = given.model.model_copy(update={"learning_rate": 1e6})  # more than a file may ask for
        with pytest.raises(ModelError):
            choose_settings(events, given.model_copy(update={"model": wild}))


class TestTheServingVersion:
    def test_its_settings_stay_if_others_are_not_clearly_better(
        self, events: Interactions, config: PipelineConfig, found: Found
    ) -> None:
        assert found.choice is not None
        near = found.choice.settings | {"regularization": 1.3 * float(str(found.choice.settings["regularization"]))}
        serving = Serving("v1", model_config({**SET, **near}))
        choice = choose_settings(events, under(config, **SET), serving=serving).choice
        assert choice is not None
        assert choice.kept_from == "v1"
        assert choice.settings["regularization"] == near["regularization"]

    def test_poor_ones_do_not_stay(self, events: Interactions, config: PipelineConfig) -> None:
        poor = Serving("v1", model_config({**SET, "factors": 8, "regularization": 1e5}))
        choice = choose_settings(events, under(config, **SET), serving=poor).choice
        assert choice is not None
        assert choice.kept_from is None
        assert choice.settings["regularization"] != 1e5

    def test_those_that_cannot_be_fitted_are_passed_over(
        self, events: Interactions, config: PipelineConfig, found: Found, caplog: pytest.LogCaptureFixture
    ) -> None:
        broken = Serving("v1", model_config(SET).model_copy(update={"alpha": 1e36}))
        choice = choose_settings(events, under(config, **SET), serving=broken).choice
        assert choice is not None
        assert found.choice is not None
        assert choice.kept_from is None
        assert choice.settings == found.choice.settings
        assert "passed over" in caplog.text

    def test_its_number_of_iterations_is_no_limit(self, events: Interactions, config: PipelineConfig) -> None:
        section = {"algorithm": "bpr", "factors": 8, "neighbours": 0}
        serving = Serving("v1", model_config({**section, "iterations": 10}))
        stopping = choose_settings(events, under(config, **section), serving=serving).stopping
        assert stopping is not None
        assert stopping.measured_after[:2] == (10, 20)

    def test_those_of_another_algorithm_are_not_tried(
        self, events: Interactions, config: PipelineConfig, found: Found
    ) -> None:
        other = Serving("v1", model_config({"algorithm": "svd"}))
        assert choose_settings(events, under(config, **SET), serving=other) == found


def test_other_algorithms_search_what_is_cheap(events: Interactions, config: PipelineConfig) -> None:
    choice = choose_settings(events, under(config, algorithm="svd")).choice
    assert choice is not None
    assert set(choice.settings) - {"neighbours_share"} == {"factors", "popularity_exponent", "neighbours"}
    assert len(choice.attempts) > 1


@pytest.mark.parametrize(("n_users", "n_items", "most"), [(900, 300, 32), (5_000, 4_100, 512), (10**6, 10**5, 128)])
def test_the_dimension_follows_the_log(n_users: int, n_items: int, most: int) -> None:
    assert sizes(n_users, n_items)[-1] == most
