"""item2vec: word2vec over histories; gensim, of the extra `baselines`, trains it."""

import importlib
import importlib.util
import zlib
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from recsys.data.arrays import Floats, Indices
from recsys.data.matrix import Csr, InteractionMatrix
from recsys.data.pairs import places_in_runs
from recsys.errors import ConfigError, ModelError
from recsys.extras import install
from recsys.models.algorithm import Algorithm, Bounds
from recsys.models.factors.config import FactorModelConfig
from recsys.models.factors.linear import LinearFactorModel, linear_model
from recsys.progress import Progress, silent

# gensim silently drops the items after this position of a sentence.
_LONGEST_SENTENCE = 10_000


class Item2vecConfig(FactorModelConfig):
    """Skip-gram with negative sampling over histories; needs gensim, the extra `baselines`."""

    algorithm: Literal["item2vec"] = Field("item2vec", description="word2vec over histories")
    factors: int = Field(64, ge=1, le=4096, description="dimension of the embeddings")
    window: int = Field(5, ge=1, le=10_000, description="items to either side that count as neighbours")
    epochs: int = Field(10, ge=1, le=10_000, description="passes over all histories")
    negatives: int = Field(5, ge=1, le=100, description="items drawn by chance per pair")
    learning_rate: float = Field(0.05, gt=0, le=10, description="at the start; it falls to zero over the epochs")


def unavailable() -> str | None:
    """What is missing, in words; None if gensim is installed."""
    if importlib.util.find_spec("gensim") is not None:
        return None
    return (
        f"needs gensim, which is not installed; {install('baselines')}"
        " (on Python 3.14 gensim 4.4 has to be compiled: pip install gensim)"
    )


def train_item2vec(
    matrix: InteractionMatrix,
    config: Item2vecConfig,
    *,
    progress: Progress = silent,
    longest_sentence: int = _LONGEST_SENTENCE,
) -> LinearFactorModel:
    """Skip-gram with negative sampling; a history is a sentence and its items are the words.

    The model learns to tell an item j in the same history as i from one drawn by chance (popularity ** 0.75), by the
    inner product v_i . w_j. The items of a history have no order here, so every epoch puts each history in a new
    random order, and looks `window` places to either side. Items are ranked by what training predicts for a history:

        score(u, j) = (sum over i in H of v_i) . w_j

    Barkan, Koenigstein, "Item2Vec: Neural Item Embedding for Collaborative Filtering" (2016), who rank by the cosine
    of v_i and v_j instead. Weights of entries are ignored. An item that never occurs with another one has zero
    vectors.
    `longest_sentence`: longer histories are learned in pieces of this length.
    Raises ConfigError if gensim is missing, ModelError if no user has used two items.
    """
    if reason := unavailable():
        raise ConfigError(f"'item2vec' {reason}")
    histories = _Histories(matrix.csr, config, progress=progress, longest_sentence=longest_sentence)
    if histories.n_sentences == 0:
        raise ModelError("item2vec: nothing to learn from: no user has used two items")
    word2vec = _word2vec(config)
    word2vec.build_vocab_from_freq(histories.frequencies)
    word2vec.train(histories, total_examples=histories.n_sentences, epochs=config.epochs)
    inputs, outputs = _vectors(word2vec, matrix.n_items)
    return linear_model(
        "item2vec",
        matrix.csr,
        sources=inputs,
        items=outputs,
        transform="presence",
        popularity_exponent=config.popularity_exponent,
    )


def _word2vec(config: Item2vecConfig) -> Any:
    """gensim's model, untrained. One thread, so that the same log and seed give the same vectors."""
    return importlib.import_module("gensim.models.word2vec").Word2Vec(
        vector_size=config.factors,
        window=config.window,
        shrink_windows=False,
        min_count=1,
        sg=1,
        negative=config.negatives,
        sample=0,
        alpha=config.learning_rate,
        seed=config.seed,
        workers=1,
        hashfxn=_stable_hash,
    )


def _vectors(word2vec: Any, n_items: int) -> tuple[Floats, Floats]:
    """v and w, float32 (n_items, d) each."""
    item = np.array(word2vec.wv.index_to_key, dtype=np.int64)
    inputs, outputs = np.zeros((2, n_items, word2vec.vector_size), np.float32)
    inputs[item], outputs[item] = word2vec.wv.vectors, word2vec.syn1neg
    return inputs, outputs


class _Histories:
    """The users' items as sentences, in a new random order on each pass.

    Users of a single item are left out, because they have no pair of items.
    """

    def __init__(self, csr: Csr, config: Item2vecConfig, *, progress: Progress, longest_sentence: int) -> None:
        n_items_of_user = np.diff(csr.indptr)
        row = np.repeat(np.arange(len(n_items_of_user), dtype=np.int32), n_items_of_user)
        has_pairs = n_items_of_user[row] > 1
        self._row, self._item = row[has_pairs], csr.indices[has_pairs]
        self._bounds = _sentence_bounds(self._row, longest_sentence)
        self._rng = np.random.default_rng(config.seed)
        self._done, self._epochs, self._progress = 0, config.epochs, progress

    @property
    def n_sentences(self) -> int:
        return len(self._bounds) - 1

    @property
    def frequencies(self) -> dict[str, int]:
        """How often each item is in a sentence."""
        items, counts = np.unique(self._item, return_counts=True)
        return {str(item): int(count) for item, count in zip(items, counts, strict=True)}

    def __iter__(self) -> Iterator[list[str]]:
        order = np.lexsort((self._rng.random(len(self._row)), self._row))
        words = self._item[order].astype(str)
        for start, stop in zip(self._bounds[:-1], self._bounds[1:], strict=True):
            yield words[start:stop].tolist()
        self._done += 1
        self._progress("item2vec", self._done, self._epochs)


def _sentence_bounds(row: Indices, longest: int) -> NDArray[np.int64]:
    """Where sentences begin, and the end of the last: at every new row, and after each `longest` items of one."""
    place, _ = places_in_runs(row)
    return np.append(np.flatnonzero(place % longest == 0), len(row))


def _stable_hash(word: str) -> int:
    """A hash of a string that is the same in every process, unlike Python's own."""
    return zlib.crc32(word.encode())


ITEM2VEC = Algorithm(
    Item2vecConfig,
    train_item2vec,
    LinearFactorModel.load,
    unavailable=unavailable,
    tunable={
        "window": Bounds(2, 20, log=True, whole=True),
        "negatives": Bounds(2, 20, log=True, whole=True),
        "learning_rate": Bounds(0.01, 0.2, log=True),
        "epochs": Bounds(3, 40, log=True, whole=True),
    },
)
