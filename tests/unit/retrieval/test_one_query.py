"""One query is answered as in a batch, to the last bit, and by exact search if too little is proposed."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recsys.data.arrays import Floats, Indices
from recsys.data.matrix import Csr
from recsys.data.sound_csr import sound_csr
from recsys.progress import silent
from recsys.retrieval import approximate_index
from recsys.retrieval.approximate_index import SearchParameters, build_approximate, steps_to, steps_to_one
from recsys.retrieval.exact import ExactSearch
from recsys.retrieval.families.registry import FAMILIES
from recsys.retrieval.flat_index import FlatIndex
from recsys.retrieval.one_query import best_of_proposed, fits_one_query
from recsys.retrieval.topk import TopK

NOTHING: Indices = np.zeros(0, np.int32)


def _vectors(n: int, factors: int, seed: int) -> Floats:
    vectors = np.random.default_rng(seed).standard_normal((n, factors)).astype(np.float32)
    vectors[::7] = vectors[1::7][: len(vectors[::7])]  # ties
    vectors[5] = 0
    return vectors


@pytest.mark.parametrize("factors", [8, 64])
def test_an_answer_is_the_same_alone_and_in_a_batch(factors: int, monkeypatch: pytest.MonkeyPatch) -> None:
    family = next(each for each in FAMILIES.values() if each.automatic)
    index = build_approximate(family, FlatIndex(_vectors(12_000, factors, 1)), seed=3, progress=silent)
    index = index.with_parameters(SearchParameters(60, 128))
    queries = _vectors(40, factors, 2)
    rng = np.random.default_rng(4)
    left_out = [np.sort(rng.choice(12_000, n, replace=False)).astype(np.int32) for n in rng.integers(0, 90, 40)]
    indptr = np.cumsum([0, *map(len, left_out)]).astype(np.int32)
    exclude = Csr((np.ones(indptr[-1], np.float32), np.concatenate(left_out), indptr), shape=(40, 12_000))
    together = index.search(queries, 10, exclude=exclude)
    answered: list[int] = []

    def counting(proposed: NDArray[np.int64], query: Floats, vectors: Floats, **how: Any) -> TopK | None:
        answered.append(len(proposed))
        return best_of_proposed(proposed, query, vectors, **how)

    monkeypatch.setattr(approximate_index, "best_of_proposed", counting)
    for row, query in enumerate(queries):
        alone = index.search(query[None], 10, exclude=exclude[row])
        assert alone.indices.tolist() == together.indices[row : row + 1].tolist()
        assert alone.scores.tobytes() == together.scores[row : row + 1].tobytes()
    assert len(answered) == 39  # all but the one that is all zero


@pytest.mark.parametrize("k", [1, 10])
def test_the_best_of_what_is_proposed_are_those_of_exact_search(k: int) -> None:
    vectors, query = _vectors(500, 16, 5), _vectors(9, 16, 6)[1:2]
    zeros, excluded = np.array([5], np.int32), np.array([0, 3, 100, 499], np.int32)
    proposed = np.append(np.random.default_rng(7).permutation(500), [-1, 500]).astype(np.int64)
    exclude = Csr((np.ones(4, np.float32), excluded, np.array([0, 4], np.int32)), shape=(1, 500))
    wanted = ExactSearch(vectors).search(query, k, exclude=exclude)
    found = best_of_proposed(proposed, query, vectors, k=k, zeros=zeros, excluded=excluded)
    assert found is not None
    assert found.indices.tolist() == wanted.indices.tolist()
    assert found.scores.tobytes() == wanted.scores.tobytes()


def test_fewer_than_k_are_no_answer() -> None:
    vectors = _vectors(20, 4, 8)
    proposed, excluded = np.arange(6), np.array([1, 2], np.int32)
    query = vectors[1:2]
    assert best_of_proposed(proposed, query, vectors, k=5, zeros=NOTHING, excluded=excluded) is None
    found = best_of_proposed(proposed, query, vectors, k=4, zeros=NOTHING, excluded=excluded)
    assert found is not None and sorted(found.indices[0].tolist()) == [0, 3, 4, 5]


def test_many_candidates_of_many_factors_are_left_to_the_search_of_batches() -> None:
    assert fits_one_query(128, 512)
    assert not fits_one_query(129, 512)


def test_one_width_takes_the_steps_of_many() -> None:
    widths = np.arange(1, 5_000)
    assert [*map(steps_to_one, widths.tolist())] == steps_to(widths).tolist()


def test_a_sound_csr_is_that_of_scipy() -> None:
    data, indices = np.array([1, 2, 3], np.float32), np.array([1, 4, 0], np.int32)
    indptr = np.array([0, 2, 3], np.int32)
    made = sound_csr(data, indices, indptr, shape=(2, 5), is_canonical=True)
    assert made.toarray().tolist() == Csr((data, indices, indptr), shape=(2, 5)).toarray().tolist()
    assert made.has_canonical_format and made.dtype == np.float32
    other = sound_csr(data[:1], indices[:1], np.array([0, 1, 1], np.int32), shape=(2, 5), is_canonical=True)
    assert (other.nnz, made.nnz) == (1, 3)
    turned = sound_csr(data, indices[[1, 0, 2]], indptr, shape=(2, 5), is_canonical=False)
    assert not turned.has_canonical_format
