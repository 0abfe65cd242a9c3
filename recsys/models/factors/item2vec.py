"""item2vec: word2vec over histories; gensim, of the extra `baselines`, trains it."""

import importlib
import importlib.util
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Indices
from recsys.data.matrix import Csr, InteractionMatrix, presence
from recsys.data.pairs import places_in_runs
from recsys.errors import ConfigError, ModelError
from recsys.models.factors.history_recommender import HistoryRecommender
from recsys.progress import Progress, silent
from recsys.retrieval.exact import ExactSearch

# gensim drops without a word what stands behind this place of a sentence.
_LONGEST_SENTENCE = 10_000


def check_installed() -> None:
    """Raise ConfigError where gensim is missing."""
    if importlib.util.find_spec("gensim") is None:
        raise ConfigError(
            "evaluate.baselines: 'item2vec' needs gensim, which is not installed; install the extra: "
            "pip install -e '.[baselines]' (on Python 3.14 gensim 4.4 has to be compiled: pip install gensim)"
        )


def fit_item2vec(
    matrix: InteractionMatrix,
    *,
    factors: int = 64,
    window: int = 5,
    epochs: int = 10,
    negatives: int = 5,
    learning_rate: float = 0.05,
    seed: int = 1,
    progress: Progress = silent,
) -> HistoryRecommender:
    """Skip-gram with negative sampling, where a history is a sentence and its items are the words.

    Learned is to tell an item j in the same history as i from one drawn by chance (popularity ** 0.75), from the
    inner product v_i . w_j. The items of a history have no order here, so every epoch puts each history in another
    random one, and looks `window` places to either side. Recommended is what training predicts beside a history:

        score(u, j) = (sum over i in H of v_i) . w_j

    Barkan, Koenigstein, "Item2Vec: Neural Item Embedding for Collaborative Filtering" (2016), who rank by the cosine
    of v_i and v_j instead. How much a user did with an item does not count. One thread, so that the same log and
    seed give the same vectors. An item that nobody used beside another one has vectors of zeros.
    Raises ConfigError where gensim is missing, ModelError where no user has used two items.
    """
    check_installed()
    histories = _Histories(matrix.csr, epochs=epochs, seed=seed, progress=progress)
    if histories.n_sentences == 0:
        raise ModelError("item2vec: nothing to learn from: no user has used two items")
    model = importlib.import_module("gensim.models.word2vec").Word2Vec(
        vector_size=factors,
        window=window,
        shrink_windows=False,
        min_count=1,
        sg=1,
        negative=negatives,
        sample=0,
        alpha=learning_rate,
        seed=seed,
        workers=1,
        hashfxn=_stable_hash,
    )
    model.build_vocab_from_freq(histories.frequencies)
    model.train(histories, total_examples=histories.n_sentences, epochs=epochs)
    return _recommender(model, matrix.n_items)


def _recommender(model: Any, n_items: int) -> HistoryRecommender:
    item = np.array(model.wv.index_to_key, dtype=np.int64)
    beside, predicted = np.zeros((2, n_items, model.vector_size), np.float32)
    beside[item], predicted[item] = model.wv.vectors, model.syn1neg
    return HistoryRecommender("item2vec", beside, ExactSearch(predicted), presence)


class _Histories:
    """The users' items as sentences, in another random order each time they are gone through.

    A user of one item only says nothing of what belongs together, and is left out.
    """

    def __init__(self, csr: Csr, *, epochs: int, seed: int, progress: Progress) -> None:
        n_items_of_user = np.diff(csr.indptr)
        row = np.repeat(np.arange(len(n_items_of_user), dtype=np.int32), n_items_of_user)
        accompanied = n_items_of_user[row] > 1
        self._row, self._item = row[accompanied], csr.indices[accompanied]
        self._bounds = _sentence_bounds(self._row)
        self._rng = np.random.default_rng(seed)
        self._done, self._epochs, self._progress = 0, epochs, progress

    @property
    def n_sentences(self) -> int:
        return len(self._bounds) - 1

    @property
    def frequencies(self) -> dict[str, int]:
        """How often each item stands in a sentence."""
        items, counts = np.unique(self._item, return_counts=True)
        return {str(item): int(count) for item, count in zip(items, counts, strict=True)}

    def __iter__(self) -> Iterator[list[str]]:
        order = np.lexsort((self._rng.random(len(self._row)), self._row))
        words = self._item[order].astype(str)
        for start, stop in zip(self._bounds[:-1], self._bounds[1:], strict=True):
            yield words[start:stop].tolist()
        self._done += 1
        self._progress("item2vec", self._done, self._epochs)


def _sentence_bounds(row: Indices) -> NDArray[np.int64]:
    """Where sentences begin, and the end of the last: at every new row, and within one as often as gensim needs."""
    place, _ = places_in_runs(row)
    return np.append(np.flatnonzero(place % _LONGEST_SENTENCE == 0), len(row))


def _stable_hash(word: str) -> int:
    """Python's own hash of a string is another one in every process."""
    return zlib.crc32(word.encode())
