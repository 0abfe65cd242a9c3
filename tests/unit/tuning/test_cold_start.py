"""The choice for items without events, on a shop whose content says what is liked by whom."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from recsys.content.cold_start.config import ColdStartConfig
from recsys.content.config import EncoderConfig
from recsys.evaluation.cold_start import ColdStartChoice
from recsys.progress import silent
from recsys.tuning.cold_candidates import Candidates
from recsys.tuning.cold_rare import simulate_rare
from recsys.tuning.cold_simulation import ColdSimulation, simulate
from recsys.tuning.cold_start import choose_cold_start, first_settings


@pytest.fixture(scope="module")
def fitted(departments: Any) -> tuple[Any, Any, Any]:
    matrix = departments.matrix(empty=5)
    return departments.model(matrix), matrix, departments.space()


def _choice(fitted: tuple[Any, Any, Any], config: ColdStartConfig | None = None, **options: Any) -> ColdStartChoice:
    model, matrix, space = fitted
    config = config or ColdStartConfig(hidden_share=0.3)
    return choose_cold_start(model, matrix.csr, space, config, metric="ndcg@5", **options)


@pytest.fixture(scope="module")
def choice(fitted: tuple[Any, Any, Any]) -> ColdStartChoice:
    return _choice(fitted)


def test_a_source_that_knows_nothing_is_seen_to_be_worse(choice: ColdStartChoice) -> None:
    scores = {each.name: each.scores["ndcg@5"] for each in choice.candidates}
    assert scores["neighbours, told alone"] > 1.3 * scores["neighbours, noise alone"]
    assert choice.settings.weights["told"] > 0


def test_the_chosen_is_the_best_but_for_chance_and_far_above_a_random_order(choice: ColdStartChoice) -> None:
    scores = {each.name: each.scores["ndcg@5"] for each in choice.candidates}
    assert next(iter(scores)) == "random"
    assert {"neighbours", "ridge", "sum", "neighbours, told alone", "neighbours, noise alone"} < set(scores)
    assert scores["chosen"] >= scores["neighbours"] >= scores["neighbours, noise alone"]
    assert scores["chosen"] > 1.5 * scores["random"]


def test_the_same_seed_gives_the_same_choice_which_json_keeps(
    fitted: tuple[Any, Any, Any], choice: ColdStartChoice
) -> None:
    assert _choice(fitted) == choice
    assert ColdStartChoice.model_validate(choice.model_dump(mode="json")) == choice


def test_what_is_set_is_kept(fitted: tuple[Any, Any, Any]) -> None:
    config = ColdStartConfig(hidden_share=0.3, method="sum", neighbours=7, power=3.0)
    sources = [EncoderConfig(encoder="tfidf", name="noise", weight=0.7)]
    settings = _choice(fitted, config, sources=sources).settings
    assert (settings.method, settings.neighbours, settings.power) == ("sum", 7, 3.0)
    assert settings.weights["noise"] == 0.7


def test_too_few_warm_items_are_told_and_leave_the_defaults(fitted: tuple[Any, Any, Any]) -> None:
    config = ColdStartConfig(rare_events=100_000)
    choice = _choice(fitted, config)
    assert choice.reason is not None
    assert "too few" in choice.sentence()
    assert choice.settings == first_settings(config, fitted[2])


def _simulation(fitted: tuple[Any, Any, Any]) -> ColdSimulation:
    model, matrix, space = fitted
    found = simulate(
        model, matrix.csr, space, rare_events=10, hidden_share=0.3, scale=1.0, seed=1, depth=50, progress=silent
    )
    assert isinstance(found, ColdSimulation)
    return found


def test_hidden_items_are_in_no_history_and_have_no_vector(fitted: tuple[Any, Any, Any]) -> None:
    simulation = _simulation(fitted)
    assert not np.isin(simulation.history.indices, simulation.hidden).any()
    assert not simulation.model.embeddings.items[simulation.hidden].any()
    assert not np.isin(simulation.hidden, simulation.warm).any()
    assert (np.diff(simulation.relevant.indptr) > 0).all()


def test_candidates_give_the_neighbours_of_the_weighted_space(fitted: tuple[Any, Any, Any]) -> None:
    _, _, space = fitted
    hidden, warm = np.arange(0, 120, 4, dtype=np.int32), np.arange(1, 120, 4, dtype=np.int32)
    candidates = Candidates.of(space, hidden, warm, depth=30)
    near = candidates.nearest([1.0, 0.25], 3)
    weighted = space.with_weights([1.0, 0.25]).vectors
    cosines = weighted[hidden] @ weighted[warm].T
    order = np.argsort(-cosines, axis=1)[:, :3]
    expected = np.maximum(np.take_along_axis(cosines, order, 1), 0)
    np.testing.assert_allclose(near.cosines, expected, atol=1e-5)
    found = near.cosines > 0
    np.testing.assert_array_equal(near.indices[found], warm[order][found])


def test_rare_items_get_what_is_best_for_them_on_hidden_items(choice: ColdStartChoice) -> None:
    assert choice.rare is not None
    assert choice.rare.chosen >= choice.rare.plain
    assert choice.settings.helps_rare_items is (choice.rare.chosen > choice.rare.plain and not choice.rare.refused)


def test_a_strength_that_is_set_is_kept_and_zero_leaves_rare_items_alone(fitted: tuple[Any, Any, Any]) -> None:
    fixed = {"hidden_share": 0.3, "method": "neighbours", "neighbours": 5, "power": 2.0}
    assert _choice(fitted, ColdStartConfig(**fixed, prior_strength=3.0)).settings.prior_strength == 3.0
    none = _choice(fitted, ColdStartConfig(**fixed, prior_strength=0.0))
    assert none.rare is None
    assert not none.settings.helps_rare_items


def test_users_given_back_are_not_those_who_are_ranked_for(fitted: tuple[Any, Any, Any]) -> None:
    _, matrix, _ = fitted
    simulation = _simulation(fitted)
    few = replace(simulation, user_idx=simulation.user_idx[:40])
    rare = simulate_rare(few, matrix.csr, rare_events=3, seed=1)
    assert rare is not None
    assert not np.isin(rare.entries.indices, few.user_idx).any()
    assert rare.n_users.max() <= 3
    assert np.diff(rare.entries.indptr).tolist() == rare.n_users.tolist()
    given = np.asarray(matrix.csr[:, few.hidden].T[rare.entries.nonzero()]).ravel()
    assert (given > 0).all()
