from typing import Any

import numpy as np
import pytest

from recsys.models.factors.embeddings import Embeddings
from recsys.space.dimensions import as_float16, as_int8, measure_dimensions, principal_basis, sizes_to_try


def _random(n_users: int, n_items: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(6)
    scale = np.geomspace(1, 0.05, d)
    return (
        (rng.normal(size=(n_users, d)) * scale).astype(np.float32),
        (rng.normal(size=(n_items, d)) @ rng.normal(size=(d, d))).astype(np.float32),
    )


def test_the_basis_gives_the_truncated_svd_of_all_scores() -> None:
    users, items = _random(70, 50, 8)
    users_to, items_to, squared = principal_basis(users, items)
    left, s, right = np.linalg.svd(users.astype(np.float64) @ items.T)
    np.testing.assert_allclose(squared, s[:8] ** 2, rtol=1e-3)
    best = (left[:, :3] * s[:3]) @ right[:3]
    found = (users @ users_to)[:, :3] @ (items @ items_to)[:, :3].T
    np.testing.assert_allclose(found, best, atol=1e-3 * s[0])


def test_all_dimensions_keep_everything_and_fewer_keep_less(shop: Any) -> None:
    _, model, matrix, _ = shop
    found = measure_dimensions(model.embeddings, matrix.csr)
    assert [each.d for each in found.kept] == [4, 8, 16, 24]
    energy = [each.energy for each in found.kept]
    assert energy == sorted(energy)
    assert found.kept[-1].energy == pytest.approx(1)
    assert found.kept[-1].recall > 0.99
    assert found.kept[0].recall < 0.9


def test_bytes_and_recall_of_each_type(shop: Any) -> None:
    _, model, matrix, _ = shop
    stored = measure_dimensions(model.embeddings, matrix.csr).stored
    assert [(each.type, each.bytes_per_vector) for each in stored] == [("float32", 96), ("float16", 48), ("int8", 28)]
    recall = [each.recall for each in stored]
    assert recall == sorted(recall, reverse=True)
    assert recall[0] == 1
    assert recall[2] > 0.9


def test_scores_of_rank_two_are_kept_by_four_numbers() -> None:
    users, items = _random(40, 300, 8)
    users[:, 2:] = 0
    found = measure_dimensions(Embeddings(users, items, np.ones(300, np.float32)), None)
    assert found.kept[0].d == 4
    assert found.kept[0].energy == pytest.approx(1)
    assert found.kept[0].recall > 0.99


def test_rounding_errors_are_within_half_a_step() -> None:
    vectors = np.array([[1.0, -0.3, 0.001], [0, 0, 0], [100, 1, -50]], np.float32)
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    assert (np.abs(as_int8(vectors) - vectors) <= largest / 127 / 2 * 1.001).all()
    assert (np.abs(as_float16(vectors) - vectors) <= np.abs(vectors) * 2**-10 + 1e-5).all()


def test_sizes_are_powers_of_two_below_the_factors() -> None:
    assert sizes_to_try(3) == (3,)
    assert sizes_to_try(64) == (4, 8, 16, 32, 64)
    assert sizes_to_try(100) == (4, 8, 16, 32, 64, 100)
