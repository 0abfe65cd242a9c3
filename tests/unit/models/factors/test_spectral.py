"""The spectral start: the same subspace as a dense SVD, deterministic, whole for any matrix."""

import numpy as np
import pytest
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from recsys.data.matrix import Csr
from recsys.models.factors.spectral import Blocks, spectral_start


@pytest.fixture
def blocks() -> Csr:
    """Three groups of users, each with items of its own, and a little noise: three large singular values."""
    rng = np.random.default_rng(3)
    dense = np.kron(np.eye(3), np.ones((40, 20))) * rng.poisson(3.0, (120, 60)) + (rng.random((120, 60)) < 0.02)
    return Csr(sp.csr_matrix(dense.astype(np.float32)))


def _dense_reference(csr: Csr) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """log(1 + R), and the roots of the sums of its rows and columns, all float64."""
    values = np.log1p(csr.toarray().astype(np.float64))
    return values, np.sqrt(values.sum(1))[:, None], np.sqrt(values.sum(0))[None, :]


def test_it_is_the_truncated_svd_of_the_normalised_matrix_scaled_back(blocks: Csr) -> None:
    users, items = spectral_start(blocks, 3, seed=1)
    values, row, column = _dense_reference(blocks)
    left, scale, right = np.linalg.svd(values / row / column, full_matrices=False)
    expected = (left[:, :3] * scale[:3]) @ right[:3] * row * column
    np.testing.assert_allclose(users @ items.T, expected, atol=1e-3)


def test_members_of_a_group_point_the_same_way(blocks: Csr) -> None:
    users, _ = spectral_start(blocks, 3, seed=1)
    unit = users / np.linalg.norm(users, axis=1, keepdims=True)
    cosine = unit @ unit.T
    assert cosine[:40, :40].min() > 0.9
    assert abs(cosine[:40, 40:]).max() < 0.5


def test_the_threads_of_the_machine_do_not_change_a_bit(monkeypatch: pytest.MonkeyPatch, blocks: Csr) -> None:
    blocks_of = Blocks(rows=7, columns=3)
    with threadpool_limits(1):
        monkeypatch.setattr("os.cpu_count", lambda: 1)
        alone = spectral_start(blocks, 8, seed=1, blocks=blocks_of)
    with threadpool_limits(2):
        monkeypatch.setattr("os.cpu_count", lambda: 5)
        together = spectral_start(blocks, 8, seed=1, blocks=blocks_of)
    np.testing.assert_array_equal(alone[0], together[0])
    np.testing.assert_array_equal(alone[1], together[1])


def test_dimensions_that_the_matrix_does_not_have_start_small_but_not_at_zero(blocks: Csr) -> None:
    users, items = spectral_start(blocks, 80, seed=1)
    assert users.shape == (120, 80)
    assert items.shape == (60, 80)
    assert users.flags.c_contiguous
    assert (np.abs(items).max(axis=0) > 0).all()
    assert np.abs(items[:, 60:]).max() < 0.1


def test_a_matrix_of_rank_one_is_no_accident() -> None:
    csr = Csr(sp.csr_matrix(np.ones((6, 4), np.float32)))
    users, items = spectral_start(csr, 2, seed=1)
    assert np.isfinite(users).all()
    np.testing.assert_allclose(users[:, :1] @ items[:, :1].T, np.full((6, 4), np.log(2)), atol=1e-5)


def test_the_input_is_left_as_it_is(blocks: Csr) -> None:
    before = blocks.copy()
    spectral_start(blocks, 4, seed=1)
    assert (blocks != before).nnz == 0
