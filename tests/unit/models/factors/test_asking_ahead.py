"""Vectors that are asked for ahead change nothing but the time."""

import numpy as np
import pytest

from recsys.data.arrays import read_only
from recsys.models.factors.als_solver import half_step
from recsys.models.factors.als_solver.half_step import HalfStep


@pytest.fixture
def entries():
    """Rows of very different lengths: none, one, an odd number, and more than are copied side by side."""
    rng = np.random.default_rng(1)
    lengths = np.array([3, 0, 1, 9000, 7, 0, 40, 2])
    indptr = np.r_[0, lengths.cumsum()].astype(np.int32)
    indices = np.concatenate([np.sort(rng.choice(12_000, each, replace=False)) for each in lengths]).astype(np.int32)
    confidence = rng.uniform(1, 5, len(indices)).astype(np.float32)
    return tuple(read_only(each) for each in (indptr, indices, confidence))


def test_rows_are_the_same_whether_vectors_are_asked_for_ahead_or_not(entries, monkeypatch):
    rng = np.random.default_rng(2)
    others, rows = (rng.normal(size=(n, 32)).astype(np.float32) for n in (12_000, len(entries[0]) - 1))
    step = HalfStep(read_only(others), np.full(32, 0.1, np.float32), np.eye(32, dtype=np.float32), 0.5)
    penalty = np.full(len(rows), 2.0, np.float32)
    plain = step.improved(entries, rows, penalty)
    asked, solve = [], half_step.solve_rows

    def told(*args):
        asked.append(args[-1])
        solve(*args)

    monkeypatch.setattr(half_step, "solve_rows", told)
    monkeypatch.setattr(half_step, "CACHED", others.size - 1)
    ahead = step.improved(entries, rows, penalty)
    assert asked == [True]
    np.testing.assert_allclose(ahead, plain, rtol=1e-5, atol=1e-6)
    monkeypatch.setattr(half_step, "CACHED", others.size)
    assert np.array_equal(step.improved(entries, rows, penalty), plain)
    assert asked == [True, None]
