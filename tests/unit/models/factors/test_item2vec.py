import sys

import numpy as np
import pytest

from recsys.errors import ConfigError, ModelError
from recsys.models.factors.item2vec import Item2vecConfig, train_item2vec, unavailable
from recsys.models.factors.model import FactorRecommender
from recsys.models.recommender import Queries
from recsys.retrieval.exact import ExactSearch

needs_gensim = pytest.mark.skipif(unavailable() is not None, reason="the extra `baselines` is not installed")


def _train(matrix, **keys):
    return train_item2vec(matrix, Item2vecConfig(**keys))


def test_a_missing_gensim_is_named_with_what_to_install(monkeypatch, groups):
    monkeypatch.setitem(sys.modules, "gensim", None)
    assert unavailable().startswith("needs gensim")
    with pytest.raises(ConfigError, match=r"'item2vec' needs gensim.* locks/baselines\.lock"):
        _train(groups)


@pytest.fixture(scope="module")
def model(groups):
    return _train(groups, factors=8, epochs=30)


@needs_gensim
def test_groups_stay_together(model, groups):
    recommender = FactorRecommender("item2vec", model, ExactSearch(model.embeddings.scoring_items))
    top = recommender.recommend(Queries(groups.csr, None), 3)
    assert (top.indices[:20] < 15).all()
    assert (top.indices[20:] >= 15).all()


@needs_gensim
def test_two_fits_of_one_seed_are_the_same_to_the_bit(model, groups):
    again, other = (_train(groups, factors=8, epochs=30, seed=seed) for seed in (1, 2))
    np.testing.assert_array_equal(again.sources, model.sources)
    np.testing.assert_array_equal(again.embeddings.items, model.embeddings.items)
    assert not np.array_equal(other.sources, model.sources)


@needs_gensim
def test_an_item_that_nobody_used_beside_another_stands_for_nothing(matrix):
    dense = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 5, 0]])
    model = _train(matrix(dense), factors=4, epochs=1)
    assert model.sources.any(axis=1).tolist() == [True, True, False, False]
    assert model.embeddings.items.any(axis=1).tolist() == [True, True, False, False]
    assert model.embeddings.users.any(axis=1).tolist() == [True, True, False]


@needs_gensim
def test_no_user_of_two_items_is_refused(matrix):
    with pytest.raises(ModelError, match="item2vec: nothing to learn from: no user has used two items"):
        _train(matrix(np.eye(3)))


@needs_gensim
def test_a_history_longer_than_a_sentence_of_gensim_is_learned_whole(matrix):
    """Cut into pieces of three items, the long history still teaches every item."""
    log = matrix(np.array([[1, 1, 1, 1, 1, 1, 1], [0, 1, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0]]))
    config = Item2vecConfig(factors=4, epochs=40, seed=1)
    whole = train_item2vec(log, config)
    pieces, again = (train_item2vec(log, config, longest_sentence=3) for _ in range(2))
    for model in (whole, pieces):
        assert model.sources.any(axis=1).all()
        assert model.embeddings.items.any(axis=1).all()
    assert not np.array_equal(pieces.sources, whole.sources)
    np.testing.assert_array_equal(pieces.sources, again.sources)


@needs_gensim
def test_progress_counts_epochs(groups):
    told = []
    train_item2vec(groups, Item2vecConfig(factors=4, epochs=2), progress=lambda *step: told.append(step))
    assert told == [("item2vec", 1, 2), ("item2vec", 2, 2)]
