"""LinearFactorModel: what each transform makes of a history, and what a model refuses."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.errors import ModelError
from recsys.models.factors.linear import TRANSFORMS, linear_model, weighted_sum

SOURCES = np.array([[1, 0], [0, 1], [5, 5], [2, -1]], np.float32)
HISTORIES = [[3, 1, 0, 0], [0, 0, 2, 0], [0, 0, 0, 0], [1, 0, 4, 1]]


@pytest.fixture
def model(csr):
    """Item 2 has no entries in training."""
    trained = csr([[1, 1, 0, 0], [0, 1, 0, 3]])
    return linear_model("svd", trained, sources=SOURCES, items=SOURCES[::-1], transform="mean", popularity_exponent=0)


@pytest.mark.parametrize(
    ("transform", "expected"),
    [
        ("presence", [[1, 1], [5, 5], [0, 0], [8, 4]]),
        ("mean", [[0.5, 0.5], [0, 0], [0, 0], [1.5, -0.5]]),
        ("log", [[np.log(4), np.log(2)], 5 * np.log([3, 3]), [0, 0], np.log(5) * 5 + np.log(2) * np.array([3, -1])]),
    ],
)
def test_each_transform_worked_by_hand(csr, transform, expected):
    """Under "mean" item 2, which nobody used in training, counts neither above nor below the line."""
    degree = np.array([1, 2, 0, 1], np.float32)
    found = weighted_sum(csr(HISTORIES), SOURCES, degree, transform=transform)
    np.testing.assert_allclose(found, np.array(expected), rtol=1e-6)
    assert found.dtype == np.float32


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_a_row_alone_is_the_same_to_the_bit(csr, transform):
    rng = np.random.default_rng(3)
    histories = csr(rng.integers(0, 4, (40, 60)))
    sources, degree = rng.standard_normal((60, 33), dtype=np.float32), np.ones(60, np.float32)
    together = weighted_sum(histories, sources, degree, transform=transform)
    for row in range(40):
        alone = weighted_sum(histories[row], sources, degree, transform=transform)
        np.testing.assert_array_equal(alone[0], together[row])


def test_users_are_what_their_rows_give_and_items_without_entries_have_none(model):
    np.testing.assert_allclose(model.embeddings.users, [[0.5, 0.5], [1, 0]])
    assert model.sources.tolist() == [[1, 0], [0, 1], [0, 0], [2, -1]]
    assert model.embeddings.items.tolist() == [[2, -1], [5, 5], [0, 0], [1, 0]]
    assert SOURCES[2].tolist() == [5, 5]


def test_given_users_are_kept_but_for_those_without_entries(csr):
    users = np.ones((3, 2), np.float32)
    trained = csr([[1, 1, 0, 0], [0, 0, 0, 0], [0, 1, 0, 3]])
    parts = {"sources": SOURCES, "items": SOURCES, "transform": "mean", "popularity_exponent": 0.5}
    model = linear_model("bpr", trained, **parts, users=users)
    assert model.embeddings.users.tolist() == [[1, 1], [0, 0], [1, 1]]
    np.testing.assert_allclose(model.embeddings.item_scale[1] / model.embeddings.item_scale[0], np.sqrt(2), rtol=1e-6)
    assert (users == 1).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"transform": "sum"}, "svd: transform 'sum', expected any of presence, mean, log"),
        ({"sources": SOURCES[:3]}, r"svd: sources float32 \(3, 2\), expected C-contiguous float32 \(4, 2\)"),
        ({"sources": SOURCES.astype(np.float64)}, "svd: sources float64"),
        ({"sources": np.full((4, 2), np.nan, np.float32)}, "svd: sources hold NaN or infinity"),
        ({"item_degree": np.ones(5, np.float32)}, r"svd: item_degree float32 \(5,\), expected"),
    ],
)
def test_parts_that_do_not_fit_are_refused(model, change, message):
    with pytest.raises(ModelError, match=message):
        replace(model, **change)


def test_histories_over_other_items_are_refused(model, csr):
    with pytest.raises(ModelError, match="a history over 3 items, expected 4"):
        model.fold_in(csr([[1, 0, 0]]))
