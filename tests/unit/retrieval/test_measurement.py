import numpy as np

from recsys.config import IndexConfig
from recsys.retrieval.faiss_index import build_index
from recsys.retrieval.measurement import Sample, microseconds_of, worst


def test_halves_are_every_other_query_with_what_it_must_not_get(excluded):
    vectors = np.arange(10, dtype=np.float32).reshape(5, 2)
    tuning, held = Sample(vectors, excluded([[0], [1], [2], [3], [4]], 9)).halves()
    np.testing.assert_array_equal(tuning.vectors, vectors[::2])
    np.testing.assert_array_equal(held.vectors, vectors[1::2])
    assert held.exclude is not None
    assert held.exclude.indices.tolist() == [1, 3]


def test_a_query_that_is_all_zero_is_not_asked():
    vectors = np.array([[0, 0], [0, 1], [0, 0]], np.float32)
    np.testing.assert_array_equal(Sample(vectors).asked().vectors, [[0, 1]])


def test_the_clock_is_looked_at_in_microseconds(rng):
    index = build_index(rng.normal(size=(50, 3)).astype(np.float32), IndexConfig())
    assert 0 < microseconds_of(index, Sample(np.ones((3, 3), np.float32))) < 1e6
    assert microseconds_of(index, Sample(np.zeros((0, 3), np.float32))) == 0


def test_the_worst_of_long_lists_and_of_short_ones():
    recalls = {"seen left out": 0.98, "seen left out, 10 wanted": 0.97, "10% allowed": 0.99}
    assert worst(recalls) == {"recall@100": 0.98, "recall@10": 0.97}
    assert worst({}) == {"recall@100": 1.0, "recall@10": 1.0}
