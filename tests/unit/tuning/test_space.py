"""The space that is searched: its coordinates, and the settings they stand for."""

from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data.confidence import fit_confidence
from recsys.data.id_map import IdMap
from recsys.data.interactions import Interactions
from recsys.models.algorithm import Bounds
from recsys.models.registry import publishable
from recsys.pipeline_config import PipelineConfig, parse_config
from recsys.tuning.settings import Settings, applied, changed, event_settings, events_point, space_of
from recsys.tuning.space import Point, Space, holds, narrowed, widened, with_events
from recsys.tuning.trials import draw

COUNTS = sp.csr_matrix(sp.random(30, 20, 0.3, random_state=1, dtype=np.float32) * 9 + 0)
LOG = {"paths": ["a.csv"], "timestamp": "time", "event": "kind", "event_weights": {"buy": 5.0, "view": 1.0}}


def configured(**model: Any) -> PipelineConfig:
    tree = {"log": LOG, "model": model, "prepare": {"half_life_days": 30.0}}
    return parse_config(tree, base=Path("/shop"))


def events_of(*, timed: bool = True, kinds: bool = True) -> Interactions:
    ids, places = IdMap.of(["a", "b", "c"])
    return Interactions(
        ids,
        ids,
        places,
        places,
        value=np.ones(3, np.float32),
        timestamp=np.array([0, 86_400, 50 * 86_400]) if timed else None,
        event=np.array([0, 2, 2], np.int8) if kinds else None,
        event_names=("buy", "never", "view") if kinds else (),
    )


def model_settings(point: Point, config: PipelineConfig) -> Settings:
    return {"model": space_of(config.model).settings(point, COUNTS)}


def point_of(config: PipelineConfig) -> Point:
    return space_of(config.model).point(COUNTS)


def model_space(algorithm: str = "als") -> Space:
    return space_of(configured(algorithm=algorithm).model).space


@pytest.mark.parametrize("weighting", ["degree", "log", "bm25", "plain"])
def test_a_configuration_is_a_point_and_back(weighting: str) -> None:
    start = configured(weighting=weighting, alpha=7.5, regularization=12.0, user_degree_exponent=0.25, iterations=4)
    point = point_of(start)
    assert applied(start, model_settings(point, start)).model == start.model
    assert changed(start, model_settings(point, start)) == {}


@pytest.mark.parametrize("weighting", ["degree", "log", "bm25", "plain"])
def test_strength_is_the_mean_confidence_under_every_weighting(weighting: str) -> None:
    start = configured()
    point = {**point_of(start), "weighting": weighting, "strength": 20.0, "penalty": 0.5}
    model = applied(start, model_settings(point, start)).model
    assert fit_confidence(COUNTS, model).apply(COUNTS).data.mean() == pytest.approx(20.0, rel=0.01)
    assert model.regularization == 10.0


def test_settings_are_short_numbers() -> None:
    point = {**point_of(configured()), "penalty": 1.23456, "user_degree_exponent": 0.123456}
    model = model_settings(point, configured())["model"]
    assert model["user_degree_exponent"] == 0.123
    assert model["regularization"] == 12.3


def test_only_what_has_a_meaning_is_drawn() -> None:
    space = model_space()
    assert set(space.active({"weighting": "log", "start": "random"})) == {"strength", "penalty"}
    assert {"bm25_k1", "bm25_b"} < set(space.active({"weighting": "bm25", "start": "random"}))
    assert "half_life_days" not in with_events(space, events_of()).active({"weighting": "log", "decay": False})


@given(st.integers(0, 2**31 - 1))
@settings(max_examples=20, deadline=None)
def test_a_drawn_point_lies_in_the_space(seed: int) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    space = with_events(model_space(), events_of())
    point = draw(study.ask(), space)
    assert all(point[name] in values for name, values in space.choices.items())
    assert all(holds(bounds, point[name]) for name, bounds in space.active(point).items())
    tree = event_settings(point, configured())
    model = model_settings(point, configured())
    parse_config(applied(configured(), tree | model).model_dump(), base=Path("/shop"))


def test_one_kind_keeps_its_weight_and_unused_ones_have_none() -> None:
    space = with_events(model_space(), events_of())
    assert [name for name in space.ranges if "event" in name] == ["event_weight.view"]
    assert space.choices["decay"] == (True, False)
    assert space.ranges["half_life_days"].high == 100.0
    assert "decay" not in with_events(model_space(), events_of(timed=False)).choices
    assert "event_weight.view" not in with_events(model_space(), events_of(kinds=False)).ranges


def test_event_settings_are_those_of_the_configuration_where_one_begins() -> None:
    start = configured()
    space = with_events(model_space(), events_of())
    point = events_point(start, space.names)
    assert point == {"event_weight.view": 1.0, "decay": True, "half_life_days": 30.0}
    assert changed(start, event_settings(point, start)) == {}
    other = {**point, "event_weight.view": 0.5, "decay": False}
    assert event_settings(other, start) == {
        "log": {"event_weights": {"buy": 5.0, "view": 0.5}},
        "prepare": {"half_life_days": None},
    }


def test_a_range_reaches_to_where_one_begins_and_narrows_around_what_was_best() -> None:
    span = Bounds(1, 100, log=True)
    assert widened(span, 300) == Bounds(1, 300, log=True)
    assert widened(span, 0) == span
    assert narrowed(span, [10, 40]) == Bounds(5, 80, log=True)
    assert narrowed(span, [1]) == Bounds(1, 2, log=True)
    assert narrowed(Bounds(0, 1), [0.5, 0.95]) == Bounds(0.4, 1)
    space = Space({"weighting": ("log", "degree")}, {"strength": span, "user_degree_exponent": Bounds(0, 1)})
    near = space.around([{"weighting": "log", "strength": 10.0}])
    assert near.choices == space.choices
    assert near.ranges == {"strength": Bounds(5, 20, log=True), "user_degree_exponent": Bounds(0, 1)}


def test_whole_numbers_stay_whole_when_a_range_narrows() -> None:
    assert narrowed(Bounds(1, 20, log=True, whole=True), [5]) == Bounds(3, 10, log=True, whole=True)


@pytest.mark.parametrize("algorithm", publishable())
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_algorithm_has_a_space_of_valid_settings(algorithm: str, seed: int) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    start = configured(algorithm=algorithm)
    assert changed(start, model_settings(point_of(start), start)) == {}
    assert model_space(algorithm).names
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    tried = applied(start, model_settings(draw(study.ask(), model_space(algorithm)), start))
    assert parse_config(tried.model_dump(), base=Path("/shop")).model == tried.model != start.model


def test_factors_are_searched_below_the_configured_number_only() -> None:
    assert space_of(configured(algorithm="svd", factors=30).model).space.ranges["factors"].high == 30
    assert space_of(configured(algorithm="svd", factors=2).model).space.ranges["factors"].low == 2
