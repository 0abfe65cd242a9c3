import numpy as np
import pytest

from recsys.errors import ModelError
from recsys.models.factors.model import FactorRecommender
from recsys.models.factors.svd import SvdConfig, train_svd
from recsys.models.recommender import Queries
from recsys.retrieval.exact import ExactSearch


def _train(matrix, **keys):
    return train_svd(matrix, SvdConfig(**keys))


def _ask(model, history, k):
    return FactorRecommender("svd", model, ExactSearch(model.embeddings.scoring_items)).recommend(
        Queries(history, None), k
    )


@pytest.fixture(scope="module")
def blocks(matrix):
    """Five groups of twenty users and ten items; each user has used about half of the items of one group."""
    rng = np.random.default_rng(4)
    return matrix(np.kron(np.eye(5), np.ones((20, 10))) * rng.poisson(0.7, (100, 50)))


def _slow(dense, rank, exponent):
    """Scores of all users, but for a factor of each: the rows of the truncated decomposition, popularity put back."""
    logs = np.log1p(dense.astype(np.float64))
    row, column = (np.maximum(logs.sum(axis=axis), 1e-30) for axis in (1, 0))
    left, scale, right = np.linalg.svd(logs / np.sqrt(np.outer(row, column)), full_matrices=False)
    popularity = np.maximum((dense > 0).sum(axis=0), 1) ** exponent
    return np.sqrt(row)[:, None] * (left[:, :rank] * scale[:rank]) @ right[:rank] * popularity / popularity.mean()


@pytest.mark.parametrize("exponent", [0.0, 0.5])
def test_scores_are_those_of_the_truncated_decomposition(blocks, exponent):
    model = _train(blocks, factors=5, popularity_exponent=exponent)
    expected = _slow(blocks.csr.toarray(), 5, exponent)
    for user, (indices, values) in enumerate(_ask(model, blocks.csr, 50).rows()):
        np.testing.assert_allclose(values, expected[user, indices], atol=1e-4)
    np.testing.assert_array_equal(model.embeddings.users, model.fold_in(blocks.csr))


def test_groups_stay_together_also_for_somebody_new(blocks, csr):
    history = np.zeros((5, 50))
    history[np.arange(5), np.arange(5) * 10 + 3] = 1
    top = _ask(_train(blocks), csr(history), 9)
    np.testing.assert_array_equal(np.sort(top.indices // 10, axis=1), np.repeat(np.arange(5)[:, None], 9, axis=1))


def test_it_never_keeps_enough_to_give_the_matrix_back(blocks, matrix):
    assert _train(blocks, factors=512).sources.shape == (50, 5)
    assert _train(blocks, factors=3).sources.shape == (50, 3)
    assert _train(matrix(np.ones((4, 3)))).sources.shape == (3, 1)


def test_the_same_seed_gives_the_same_bits(blocks):
    first, second = _train(blocks, seed=7), _train(blocks, seed=7)
    np.testing.assert_array_equal(first.sources, second.sources)


def test_an_empty_log_is_refused(matrix):
    with pytest.raises(ModelError, match="svd: nothing to learn from"):
        _train(matrix(np.zeros((2, 3))))
