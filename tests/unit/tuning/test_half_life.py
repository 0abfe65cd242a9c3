"""The half-life of events in the short search of a night, on a log whose users change their taste."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.readers import read_log
from recsys.data.interactions import Interactions
from recsys.models.registry import model_config
from recsys.pipeline_config import PipelineConfig, parse_config
from recsys.tuning.budget import SearchBudget
from recsys.tuning.early_stopping import measure
from recsys.tuning.found import Found, Serving
from recsys.tuning.half_life import HALF_LIFE, first_half_lives, half_lives_around, is_open, with_half_life
from recsys.tuning.search import search_settings
from recsys.tuning.short_search import choose_settings
from recsys.tuning.validation import Validation

LOG = {"paths": ["log.csv"], "user": "user", "item": "item", "timestamp": "time"}
MODEL = {
    "factors": 8,
    "weighting": "log",
    "alpha": 10.0,
    "start": "spectral",
    "iterations": 2,
    "neighbours": 0,
    "popularity_exponent": 0.0,
}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, write_drifting_log: Callable[[Path], None]) -> PipelineConfig:
    folder = tmp_path_factory.mktemp("drift")
    write_drifting_log(folder / "log.csv")
    return parse_config({"log": LOG, "evaluate": {"holdout": "5d", "cutoffs": [5, 20]}, "model": MODEL}, base=folder)


@pytest.fixture(scope="module")
def events(config: PipelineConfig) -> Interactions:
    return read_log(FileSource.of(config.log), config.log)[0]


@pytest.fixture(scope="module")
def found(events: Interactions, config: PipelineConfig) -> Found:
    return choose_settings(events, config)


def given(config: PipelineConfig, **prepare: Any) -> PipelineConfig:
    return config.model_copy(update={"prepare": type(config.prepare).model_validate(prepare)})


def reached(events: Interactions, config: PipelineConfig) -> float:
    data = Validation(events, config, n_users=2_000).under(config)
    measured = measure(data, config.model, keep_on=lambda: True)
    assert measured is not None
    return measured.score


class TestWhatIsChosen:
    def test_a_taste_that_changed_is_forgotten(
        self, events: Interactions, config: PipelineConfig, found: Found
    ) -> None:
        assert found.choice is not None
        assert found.choice.half_life_days is not None
        assert found.choice.half_life_days < 50
        chosen = found.applied(config)
        assert chosen.prepare.half_life_days == found.choice.half_life_days
        assert reached(events, chosen) == pytest.approx(found.choice.score)
        assert reached(events, chosen) > 1.1 * reached(events, with_half_life(chosen, None))

    def test_no_decay_is_tried_with_the_chosen_model_too(self, found: Found) -> None:
        assert found.choice is not None
        whole = [each for each in found.choice.attempts if each.settings == found.choice.settings]
        assert {"half_life_days": None} in [each.prepare for each in whole]
        assert "prepare.half_life_days none" in found.choice.attempts[0].in_words()

    def test_half_lives_are_tied_to_the_log(self, events: Interactions) -> None:
        assert first_half_lives(events) == (100, 25, 6.2)
        assert list(half_lives_around(25.0)) == [50, 12]

    def test_events_of_one_moment_have_none(self, events: Interactions) -> None:
        assert first_half_lives(events.select(np.array([0]))) == ()

    def test_the_work_bounds_it(self, events: Interactions, config: PipelineConfig) -> None:
        model = config.model.model_copy(update={"auto_share": 0.01})
        choice = choose_settings(events, config.model_copy(update={"model": model}), least_work=1e5).choice
        assert choice is not None
        assert choice.prepare == {"half_life_days": None}
        assert len(choice.attempts) == 2

    def test_other_algorithms_have_one_too(self, events: Interactions, config: PipelineConfig) -> None:
        svd = config.model_copy(update={"model": model_config({"algorithm": "svd", "neighbours": 0})})
        choice = choose_settings(events, svd).choice
        assert choice is not None
        assert choice.half_life_days is not None


def test_a_longer_search_begins_with_it(
    events: Interactions, config: PipelineConfig, found: Found, tmp_path: Path
) -> None:
    told: list[str] = []
    outcome = search_settings(events, config, SearchBudget(trials=2), folder=tmp_path, announce=told.append)
    days = found.applied(config).prepare.half_life_days
    assert f"prepare.half_life_days {days:g}" in told[0]
    assert outcome.settings.get("prepare", {HALF_LIFE: days}) == {HALF_LIFE: days}
    assert found.choice is not None
    assert outcome.start.mean == pytest.approx(found.choice.score, rel=0.05)


class TestWhatIsNotChosen:
    @pytest.mark.parametrize("value", ["none", 1000.0])
    def test_a_value_that_is_set(self, events: Interactions, config: PipelineConfig, value: object) -> None:
        set_to = given(config, half_life_days=value)
        found = choose_settings(events, set_to)
        assert found.choice is not None
        assert found.choice.prepare == {}
        assert found.applied(set_to).prepare == set_to.prepare

    def test_that_of_a_log_without_times(self, events: Interactions, config: PipelineConfig) -> None:
        assert is_open(config, events)
        assert not is_open(config, replace(events, timestamp=None))

    def test_any_without_auto(self, events: Interactions, config: PipelineConfig) -> None:
        off = config.model_copy(update={"model": config.model.model_copy(update={"auto": False})})
        assert choose_settings(events, off).choice is None


class TestTheServingVersion:
    def test_its_half_life_stays_if_no_other_is_clearly_better(
        self, events: Interactions, config: PipelineConfig, found: Found
    ) -> None:
        assert found.choice is not None
        near = 1.05 * (found.choice.half_life_days or 0)
        serving = Serving("v1", found.applied(config).model, near)
        choice = choose_settings(events, config, serving=serving).choice
        assert choice is not None
        assert choice.kept_from == "v1"
        assert choice.half_life_days == near

    def test_a_poor_one_does_not_stay(self, events: Interactions, config: PipelineConfig, found: Found) -> None:
        assert found.choice is not None
        serving = Serving("v1", found.applied(config).model, None)
        choice = choose_settings(events, config, serving=serving).choice
        assert choice is not None
        assert choice.kept_from is None
        assert choice.half_life_days == found.choice.half_life_days
