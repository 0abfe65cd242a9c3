import importlib.util
import sys

import numpy as np
import pytest

from recsys.errors import ConfigError, ModelError
from recsys.models.factors.item2vec import _Histories, check_installed, fit_item2vec
from recsys.models.recommender import Queries
from recsys.progress import silent

needs_gensim = pytest.mark.skipif(
    importlib.util.find_spec("gensim") is None, reason="the extra `baselines` is not installed"
)


def test_a_missing_gensim_is_named_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "gensim", None)
    with pytest.raises(ConfigError, match=r"'item2vec' needs gensim.* pip install -e '\.\[baselines\]'"):
        check_installed()


@pytest.fixture(scope="module")
def model(groups):
    return fit_item2vec(groups, factors=8, epochs=30)


@needs_gensim
def test_groups_stay_together(model, groups):
    top = model.recommend(Queries(groups.csr, None), 3)
    assert (top.indices[:20] < 15).all()
    assert (top.indices[20:] >= 15).all()
    assert model.name == "item2vec"


@needs_gensim
def test_nobody_is_recommended_nothing(model, csr):
    assert model.recommend(Queries(csr(np.zeros((1, 30))), None), 3).counts.tolist() == [0]


@needs_gensim
def test_two_fits_of_one_seed_are_the_same_to_the_bit(model, groups):
    again, other = (fit_item2vec(groups, factors=8, epochs=30, seed=seed) for seed in (1, 2))
    np.testing.assert_array_equal(again.sources, model.sources)
    assert not np.array_equal(other.sources, model.sources)


@needs_gensim
def test_an_item_that_nobody_used_beside_another_stands_for_nothing(matrix):
    dense = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 5, 0]])
    model = fit_item2vec(matrix(dense), factors=4, epochs=1)
    assert model.sources.any(axis=1).tolist() == [True, True, False, False]


@needs_gensim
def test_no_user_of_two_items_is_refused(matrix):
    with pytest.raises(ModelError, match="item2vec: nothing to learn from: no user has used two items"):
        fit_item2vec(matrix(np.eye(3)))


@needs_gensim
def test_a_history_longer_than_a_sentence_of_gensim_is_learned_whole(monkeypatch, matrix):
    monkeypatch.setattr("recsys.models.factors.item2vec._LONGEST_SENTENCE", 3)
    log = matrix(np.array([[1, 1, 1, 1, 1, 1, 1], [0, 1, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0]]))
    histories = _Histories(log.csr, epochs=2, seed=1, progress=silent)
    first, second = list(histories), list(histories)
    assert [len(sentence) for sentence in first] == [3, 3, 1, 2]
    assert histories.n_sentences == 4
    for epoch in (first, second):
        assert sorted(epoch[0] + epoch[1] + epoch[2]) == [str(item) for item in range(7)]
        assert sorted(epoch[3]) == ["1", "2"]
    assert first != second


@needs_gensim
def test_progress_counts_epochs(groups):
    told = []
    fit_item2vec(groups, factors=4, epochs=2, progress=lambda *step: told.append(step))
    assert told == [("item2vec", 1, 2), ("item2vec", 2, 2)]
