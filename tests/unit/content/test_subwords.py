import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.content.subwords import Subwords, ngram_buckets
from recsys.errors import DataError


def test_ngrams_are_marked_at_both_ends():
    """<ab> has the n-grams <a, ab, b>, <ab, ab>, <ab> of two to four characters."""
    assert len(ngram_buckets("ab", 2, 4, n_buckets=1000)) == 6


@settings(deadline=None)  # the first example imports gensim
@given(st.text(max_size=12), st.integers(1, 4), st.integers(0, 3))
def test_buckets_are_those_of_gensim(word, shortest, more):
    fasttext = pytest.importorskip("gensim.models.fasttext")
    try:
        word.encode()
    except UnicodeEncodeError:
        return
    if "\0" in word:  # gensim's ends there
        return
    theirs = fasttext.ft_ngram_hashes(word, shortest, shortest + more, 5000)
    assert ngram_buckets(word, shortest, shortest + more, n_buckets=5000) == theirs


def _subwords(word="ab", d=2):
    buckets = np.unique(ngram_buckets(word, 2, 3, n_buckets=1000)).astype(np.int32)
    return Subwords(2, 3, 1000, buckets, np.arange(len(buckets) * d).reshape(-1, d).astype(np.float16))


def test_a_word_is_the_mean_of_its_ngrams_that_training_met():
    subwords = _subwords()
    sums, counted = subwords.summed([["ab", "ab"], ["ab", "zz"], ["zz"], []])
    mean = subwords.vectors.astype(np.float32).mean(axis=0)
    np.testing.assert_allclose(sums, [2 * mean, mean, 0 * mean, 0 * mean])
    assert counted.tolist() == [2, 1, 0, 0]


def test_stored_subwords_are_the_same(tmp_path):
    _subwords().save(tmp_path)
    loaded = Subwords.load(tmp_path)
    np.testing.assert_array_equal(loaded.summed([["abc"]])[0], _subwords().summed([["abc"]])[0])


@pytest.mark.parametrize(
    ("buckets", "vectors", "message"),
    [
        (np.array([2, 1], np.int32), np.zeros((2, 2), np.float16), "not ascending"),
        (np.array([1, 2], np.int32), np.full((2, 2), np.nan, np.float16), "not finite"),
        (np.array([1, 2]), np.zeros((2, 2), np.float16), "n-grams: 2 int64"),
        (np.array([1, 2], np.int32), np.zeros((3, 2), np.float16), "n-grams: 2 int32"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(buckets, vectors, message):
    with pytest.raises(DataError, match=message):
        Subwords(2, 3, 10, buckets, vectors)
