import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data.confidence import fit_confidence
from recsys.errors import ModelError
from recsys.models.factors.als import AlsConfig
from recsys.models.factors.als_model import AlsModel
from recsys.models.factors.embeddings import Embeddings
from recsys.models.factors.fold_in import UserEquations


def test_worked_by_hand(csr):
    """One dimension: y = (1, 2, 3), c_0 = 4, c_1 = 5, regularization 2.

    A = 1 + 4 + 9 + 3 * 1 + 4 * 4 + 2 = 35, so to item j item 0 adds y_j * 4 * 1 / 35 and item 1 y_j * 5 * 2 / 35.
    """
    items = np.array([[1], [2], [3]], np.float32)
    parts = UserEquations.of(items, 2.0).contributions(csr([[4, 5, 0]]), np.array([2, 0], np.int32))
    np.testing.assert_allclose(parts, np.array([[12, 30], [4, 10]]) / 35)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), weighting=st.sampled_from(["degree", "log", "bm25", "plain"]))
def test_they_add_up_to_the_score_of_the_folded_in_vector(seed, weighting, csr):
    rng = np.random.default_rng(seed)
    counts = csr(rng.integers(1, 5, (7, 12)) * (rng.random((7, 12)) < 0.4) + np.eye(7, 12))
    vectors = [rng.normal(size=(n, 5)).astype(np.float32) for n in (7, 12)]
    embeddings = Embeddings(*vectors, rng.uniform(0.5, 2, 12).astype(np.float32))
    model = AlsModel(embeddings, fit_confidence(counts, AlsConfig(weighting=weighting)), 0.7)
    targets = rng.permutation(12).astype(np.int32)[:8]
    parts = model.contributions(counts[3], targets)
    assert parts.shape == (8, counts[3].nnz)
    scores = embeddings.scoring_items[targets] @ model.fold_in(counts[3])[0]
    np.testing.assert_allclose(parts.sum(axis=1), scores, atol=1e-4 * np.abs(parts).sum(axis=1).max())


def test_nothing_done_and_nothing_asked_add_nothing(csr):
    equations, none = UserEquations.of(np.eye(3, dtype=np.float32), 1.0), np.zeros(0, np.int32)
    for history, targets, shape in ((np.zeros((1, 3)), none + 0, (0, 0)), (np.ones((1, 3)), none, (0, 3))):
        assert equations.contributions(csr(history), targets).shape == shape
    two = np.array([0, 2], np.int32)
    assert equations.contributions(csr(np.zeros((1, 3))), two).shape == (2, 0)


def test_one_history_at_a_time(csr):
    with pytest.raises(ModelError, match="2 histories, expected one"):
        UserEquations.of(np.eye(3, dtype=np.float32), 1.0).contributions(csr(np.ones((2, 3))), np.zeros(1, np.int32))
