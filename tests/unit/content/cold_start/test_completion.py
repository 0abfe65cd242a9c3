from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from recsys.content.cold_start.completion import ItemGroups, complete, scale_of_new
from recsys.content.cold_start.config import ColdStartConfig
from recsys.content.cold_start.prior import with_prior
from recsys.content.cold_start.settings import ColdStartSettings
from recsys.data.matrix import InteractionMatrix
from recsys.models.factors.embeddings import popularity_scale
from recsys.models.factors.model import FactorModel, FactorRecommender
from recsys.models.recommender import Queries
from recsys.retrieval.exact import ExactSearch, normalised

EMPTY = 20
SETTINGS = ColdStartSettings(neighbours=5, weights={"told": 1.0, "noise": 0.0})


def _completed(
    shop: Any, model: FactorModel, matrix: InteractionMatrix, settings: ColdStartSettings = SETTINGS
) -> FactorModel:
    return complete(
        model,
        shop.space(),
        settings,
        pull=partial(with_prior, csr=matrix.csr),
        config=ColdStartConfig(),
        popularity_exponent=0.1,
    )


def _share_of_own_department(shop: Any, model: FactorModel, matrix: InteractionMatrix) -> float:
    """Of the new items in the first ten of every user, those of the user's department."""
    recommender = FactorRecommender("m", model, ExactSearch(model.embeddings.scoring_items))
    found = recommender.recommend(Queries(matrix.csr, np.arange(shop.n_users, dtype=np.int32)), 10)
    user = np.broadcast_to(np.arange(shop.n_users)[:, None], found.indices.shape)
    new = found.filled & (found.indices >= shop.n_items - EMPTY)
    assert new.any()
    return float((found.indices[new] % shop.groups == user[new] % shop.groups).mean())


@pytest.mark.parametrize(
    ("algorithm", "method"), [("als", "neighbours"), ("als", "ridge"), ("als", "sum"), ("svd", "neighbours")]
)
def test_new_items_are_recommended_to_those_who_like_such_items(
    departments: Any, algorithm: str, method: Any
) -> None:
    matrix = departments.matrix(empty=EMPTY)
    settings = ColdStartSettings(method=method, neighbours=5, ridge=0.1, weights=SETTINGS.weights)
    model = _completed(departments, departments.model(matrix, algorithm), matrix, settings)
    assert _share_of_own_department(departments, model, matrix) > 0.8


def test_everything_else_stays_to_the_bit(departments: Any) -> None:
    matrix = departments.matrix(empty=EMPTY)
    plain = departments.model(matrix)
    model = _completed(departments, plain, matrix)
    first_new = departments.n_items - EMPTY
    assert plain.embeddings.users.tobytes() == model.embeddings.users.tobytes()
    assert plain.embeddings.items[:first_new].tobytes() == model.embeddings.items[:first_new].tobytes()
    assert plain.embeddings.item_scale[:first_new].tobytes() == model.embeddings.item_scale[:first_new].tobytes()
    assert not plain.embeddings.items[first_new:].any()
    assert model.embeddings.items[first_new:].any(axis=1).all()
    assert plain.neighbours is not None
    assert model.neighbours is not None
    assert (plain.neighbours.weights[:, :first_new] != model.neighbours.weights[:, :first_new]).nnz == 0


def test_trained_users_are_those_that_are_folded_in_to_the_bit(departments: Any) -> None:
    matrix = departments.matrix(empty=EMPTY)
    model = _completed(departments, departments.model(matrix), matrix)
    assert model.fold_in(matrix.csr).tobytes() == model.embeddings.users.tobytes()


def test_a_new_item_counts_as_having_pseudo_users(departments: Any) -> None:
    model = departments.model(departments.matrix(empty=EMPTY))
    scale = popularity_scale(model.item_degree, 0.3)
    at = int(np.flatnonzero(model.item_degree >= 2)[0])
    assert scale_of_new(model, 0.3, float(model.item_degree[at])) == pytest.approx(scale[at])


def test_nothing_is_made_without_new_items_or_warm_ones(departments: Any) -> None:
    matrix = departments.matrix(empty=0)
    model = departments.model(matrix)
    assert _completed(departments, model, matrix) is model
    few = departments.matrix(empty=EMPTY)
    model, config = departments.model(few), ColdStartConfig(rare_events=10_000)
    space = departments.space()
    assert (
        complete(
            model, space, SETTINGS, pull=partial(with_prior, csr=few.csr), config=config, popularity_exponent=0.1
        )
        is model
    )


def test_the_groups_have_no_item_in_common(departments: Any) -> None:
    matrix = departments.matrix(empty=EMPTY, rare=9)
    groups = ItemGroups.of(departments.model(matrix), departments.space(), 10)
    first_new = departments.n_items - EMPTY
    assert groups.new.tolist() == list(range(first_new, departments.n_items))
    assert groups.rare.tolist() == list(range(first_new - 9, first_new))
    assert groups.warm.tolist() == list(range(first_new - 9))


RARE = 20
HELPING = replace(SETTINGS, prior_strength=4.0, content_users=10.0)


def _cosine_to_department(shop: Any, model: FactorModel, rare: slice) -> float:
    """The mean cosine of rare items to the mean of the warm items of their department."""
    items, group = model.embeddings.items, np.arange(shop.n_items) % shop.groups
    warm = np.arange(shop.n_items) < rare.start
    centres = np.array([items[warm & (group == each)].mean(axis=0) for each in range(shop.groups)])
    own = centres[group[rare]]
    return float(np.mean((normalised(items[rare]) * normalised(own)).sum(axis=1)))


def test_rare_items_are_pulled_to_their_content_and_warm_ones_stay_to_the_bit(departments: Any) -> None:
    matrix = departments.matrix(empty=EMPTY, rare=RARE)
    rare = slice(departments.n_items - EMPTY - RARE, departments.n_items - EMPTY)
    plain = departments.model(matrix)
    model = _completed(departments, plain, matrix, HELPING)
    assert plain.embeddings.items[: rare.start].tobytes() == model.embeddings.items[: rare.start].tobytes()
    before, after = (_cosine_to_department(departments, each, rare) for each in (plain, model))
    assert after > before
    assert model.neighbours.weights[:, rare].nnz > plain.neighbours.weights[:, rare].nnz
    assert (plain.neighbours.weights[:, : rare.start] != model.neighbours.weights[:, : rare.start]).nnz == 0


def test_with_a_prior_too_trained_users_are_those_that_are_folded_in_to_the_bit(departments: Any) -> None:
    matrix = departments.matrix(empty=EMPTY, rare=RARE)
    model = _completed(departments, departments.model(matrix), matrix, HELPING)
    assert model.fold_in(matrix.csr).tobytes() == model.embeddings.users.tobytes()


def test_a_linear_model_has_no_prior_but_gets_the_columns(departments: Any) -> None:
    matrix = departments.matrix(empty=0, rare=RARE)
    plain = departments.model(matrix, "svd")
    model = _completed(departments, plain, matrix, HELPING)
    assert plain.embeddings.items.tobytes() == model.embeddings.items.tobytes()
    assert model.neighbours.weights.nnz > plain.neighbours.weights.nnz
