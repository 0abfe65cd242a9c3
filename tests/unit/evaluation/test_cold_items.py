"""The measurement of cold items on a shop whose content says what is liked by whom."""

from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from recsys.config import EvaluateConfig
from recsys.content.cold_start.completion import complete
from recsys.content.cold_start.config import ColdStartConfig
from recsys.content.cold_start.prior import with_prior
from recsys.content.cold_start.settings import ColdStartSettings
from recsys.data.items import Items
from recsys.evaluation.cold_items import SLICES, ColdItems, draw_cold_items, measure_cold_items
from recsys.evaluation.cold_start import ColdItemsSummary

SETTINGS = ColdStartSettings(neighbours=5, prior_strength=4.0, content_users=5.0, weights={"told": 1.0, "noise": 0.0})


@pytest.fixture(scope="module")
def drawn(departments: Any) -> tuple[Any, ColdItems]:
    matrix = departments.matrix(empty=5)
    able = np.ones(matrix.n_items, bool)
    able[::9] = False
    task = draw_cold_items(matrix, able, seed=3)
    assert task is not None
    return matrix, task


def test_what_is_taken_and_what_stays_are_the_matrix(drawn: tuple[Any, ColdItems]) -> None:
    matrix, task = drawn
    rest = matrix.csr - task.train.csr
    assert rest[task.users].toarray().tolist() == task.relevant.toarray().tolist()
    others = np.setdiff1d(np.arange(matrix.n_items), task.items)
    assert (matrix.csr[:, others] != task.train.csr[:, others]).nnz == 0
    assert not (task.items % 9 == 0).any()


def test_items_keep_as_many_users_as_their_slice_says(drawn: tuple[Any, ColdItems]) -> None:
    _, task = drawn
    degree = task.train.item_degree[task.items]
    for at, (low, high) in enumerate(SLICES):
        kept = degree[task.slice_of == at]
        assert len(kept)
        assert low <= kept.min() <= kept.max() <= high


def test_too_few_items_give_no_measurement(departments: Any) -> None:
    matrix = departments.matrix(empty=5)
    assert draw_cold_items(matrix, np.arange(matrix.n_items) < 20, seed=3) is None


@pytest.fixture(scope="module")
def measured(departments: Any, drawn: tuple[Any, ColdItems]) -> ColdItemsSummary:
    matrix, task = drawn
    space, plain = departments.space(), departments.model(task.train)
    model = complete(
        plain,
        space,
        SETTINGS,
        pull=partial(with_prior, csr=task.train.csr),
        config=ColdStartConfig(),
        popularity_exponent=0.1,
    )
    genre = [f"g{at % departments.groups}" for at in range(matrix.n_items)]
    items = Items(matrix.items, pa.table({"title": genre, "genre": genre}))
    return measure_cold_items(
        task,
        plain,
        model,
        SETTINGS.weighted(space),
        items,
        metric="ndcg@2",
        evaluate=EvaluateConfig(bootstrap=50),
        seed=1,
    )


def test_content_finds_items_that_nobody_chose_yet(measured: ColdItemsSummary) -> None:
    first = measured.slices[0]
    assert first.users_of_item == "0"
    means = {name: each.mean for name, each in first.among_cold.items()}
    assert means["with content"] > 1.3 * means["random"]
    assert means["without content"] == 0
    assert means["content alone"] > 1.3 * means["random"]
    assert first.among_cold["with content"].low is not None


def test_json_keeps_it(measured: ColdItemsSummary) -> None:
    assert ColdItemsSummary.model_validate(measured.model_dump(mode="json")) == measured
    assert "hidden" in measured.sentence()
