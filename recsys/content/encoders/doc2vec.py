"""doc2vec (distributed bag of words), trained on the texts of the catalogue or on histories; gensim trains it.

Le, Mikolov (2014). Distributed Representations of Sentences and Documents.
"""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from recsys.content.encoder import Encoded, EncoderKind
from recsys.content.history_vectors import HistoryVectors, histories_of, read_columns
from recsys.content.pooling import text_problems
from recsys.content.sentences import LONGEST, Sentences, TrainedConfig, check_gensim, train, unavailable
from recsys.content.texts import text_columns, texts_of
from recsys.content.words import words_in
from recsys.data.arrays import Floats
from recsys.data.items import Items
from recsys.data.matrix import InteractionMatrix
from recsys.errors import ArtifactError
from recsys.progress import Progress, silent
from recsys.retrieval.exact import normalised

_TEXTS_PER_REPORT = 500


class Doc2vecConfig(TrainedConfig):
    """doc2vec: a vector per item that predicts the words of its text, or the users who chose it."""

    encoder: Literal["doc2vec"] = Field("doc2vec", description="how the vectors are made")
    on: Literal["text", "histories"] = Field(
        "text", description="what it learns from: the words of an item's text, or the users who chose the item"
    )


@dataclass(frozen=True, eq=False)
class Doc2vecEncoder:
    """`model`: gensim's, trained."""

    columns: tuple[str, ...]
    model: Any
    seed: int

    @property
    def dimension(self) -> int:
        """The dimension d of its vectors."""
        return int(self.model.vector_size)

    def encode(self, items: Items, *, progress: Progress = silent) -> Encoded:
        """The vectors of `items`: each is trained anew for its text, while the words stay as they are.

        As many passes as the fit had. Random choices begin with the seed for every text, so that a vector depends on
        its text alone. Zero for an item without a known word.
        """
        texts = texts_of(items, self.columns)
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for at, text in enumerate(texts):
            if at % _TEXTS_PER_REPORT == 0:
                progress("encode: doc2vec", at, len(texts))
            vectors[at] = self._inferred(text.as_py())
        progress("encode: doc2vec", len(texts), len(texts))
        vectors = normalised(vectors)
        return Encoded(vectors, text_problems(vectors, texts, items.ids))

    def _inferred(self, text: str) -> Floats:
        words = [word for word in words_in(text.lower()) if word in self.model.wv.key_to_index]
        vector = np.zeros(self.dimension, np.float32)
        for start in range(0, len(words), LONGEST):
            self.model.random.seed(self.seed)
            vector += self.model.infer_vector(words[start : start + LONGEST])
        return vector

    def save(self, folder: Path) -> None:
        """Raises ArtifactError: new vectors need gensim's own model, which is not sealed."""
        raise ArtifactError(f"{folder}: 'doc2vec' cannot be sealed")


def fit_doc2vec(
    items: Items, config: Doc2vecConfig, *, histories: InteractionMatrix | None = None, progress: Progress = silent
) -> Doc2vecEncoder | HistoryVectors:
    """Train doc2vec on the texts of `items`, or on `histories`.

    Raises ConfigError if gensim is missing; DataError if there is nothing to learn from.
    """
    check_gensim(config)
    if config.on == "histories":
        return _fit_histories(histories_of(histories, config.source_name), config, progress)
    columns = text_columns(items, config.columns)
    model = _untrained(config)
    train(model, _Tagged(Sentences(texts_of(items, columns), config, progress=progress)), config)
    return Doc2vecEncoder(columns, model, config.seed)


def _fit_histories(histories: InteractionMatrix, config: Doc2vecConfig, progress: Progress) -> HistoryVectors:
    """An item is a document, and the users who chose it are its words; a user of one item says nothing."""
    by_item = histories.csr.T.tocsr()
    model = _untrained(config.model_copy(update={"min_count": 2, "sample": 0.0}))
    documents = _Choosers(by_item.indptr, by_item.indices, config, progress)
    train(model, _Tagged(documents), config)
    vectors = np.zeros((histories.n_items, config.dimension), np.float32)
    vectors[: len(model.dv.vectors)] = model.dv.vectors
    told = np.diff(histories.csr.indptr)[by_item.indices] > 1
    item = np.repeat(np.arange(histories.n_items), np.diff(by_item.indptr))
    vectors[np.bincount(item, told, minlength=histories.n_items) == 0] = 0
    return HistoryVectors.of(histories.items, vectors)


def _untrained(config: Doc2vecConfig) -> Any:
    return importlib.import_module("gensim.models.doc2vec").Doc2Vec(dm=0, dbow_words=0, **config.for_gensim())


class _Choosers:
    """The users of each item as words, in pieces of LONGEST; any number of passes."""

    def __init__(self, indptr: Any, users: Any, config: Doc2vecConfig, progress: Progress) -> None:
        self._indptr, self._users, self._progress = indptr, users, progress
        self._passes, self._done = config.epochs + 1, 0

    def placed(self) -> Iterator[tuple[int, list[str]]]:
        for item, (start, stop) in enumerate(zip(self._indptr[:-1], self._indptr[1:], strict=True)):
            for first in range(start, stop, LONGEST):
                yield item, self._users[first : min(first + LONGEST, stop)].astype(str).tolist()
        self._done += 1
        self._progress("encode: doc2vec, training", self._done, self._passes)


class _Tagged:
    """The documents of a source as gensim takes them; the tag is the place of the item."""

    def __init__(self, source: Sentences | _Choosers) -> None:
        self._source = source
        self._document = importlib.import_module("gensim.models.doc2vec").TaggedDocument

    def __iter__(self) -> Iterator[Any]:
        return (self._document(words, [at]) for at, words in self._source.placed())


DOC2VEC = EncoderKind(
    Doc2vecConfig,
    fit_doc2vec,
    reads=read_columns,
    learns_from_histories=lambda config: config.on == "histories",
    unavailable=unavailable,
)
