"""word2vec, trained on the texts of the catalogue or on histories; gensim trains it.

Mikolov, Sutskever, Chen, Corrado, Dean (2013). Distributed Representations of Words and Phrases and their
Compositionality.
"""

import importlib
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from recsys.content.encoder import EncoderKind
from recsys.content.history_vectors import STATE, HistoryVectors, histories_of, read_columns
from recsys.content.pooled_words import PooledWords, PoolingConfig, fit_pooling
from recsys.content.sentences import Sentences, TrainedConfig, check_gensim, train, unavailable
from recsys.content.texts import text_columns, texts_of
from recsys.content.words import word_counts
from recsys.data.items import Items
from recsys.data.matrix import InteractionMatrix
from recsys.errors import DataError, ModelError
from recsys.models.factors.item2vec import Item2vecConfig, train_item2vec
from recsys.progress import Progress, silent


class Word2vecConfig(TrainedConfig, PoolingConfig):
    """word2vec (skip-gram), trained on the catalogue's texts, or on histories whose items are the words."""

    encoder: Literal["word2vec"] = Field("word2vec", description="how the vectors are made")
    on: Literal["text", "histories"] = Field(
        "text", description="what it learns from: texts of the catalogue, averaged as by `words`, or users' histories"
    )
    window: int = Field(5, ge=1, le=10_000, description="words or items to either side that count as neighbours")


def fit_word2vec(
    items: Items, config: Word2vecConfig, *, histories: InteractionMatrix | None = None, progress: Progress = silent
) -> PooledWords | HistoryVectors:
    """Train word2vec on the texts of `items`, or on `histories`.

    Raises ConfigError if gensim is missing; DataError if there is nothing to learn from.
    """
    check_gensim(config)
    if config.on == "histories":
        return _fit_histories(histories_of(histories, config.source_name), config, progress)
    columns = text_columns(items, config.columns)
    texts = texts_of(items, columns)
    model = importlib.import_module("gensim.models.word2vec").Word2Vec(
        sg=1, window=config.window, **config.for_gensim()
    )
    train(model, Sentences(texts, config, progress=progress), config)
    words, vectors = tuple(model.wv.index_to_key), np.asarray(model.wv.vectors)
    return fit_pooling(texts, word_counts(texts), config, columns=columns, words=words, vectors=vectors)


def _fit_histories(histories: InteractionMatrix, config: Word2vecConfig, progress: Progress) -> HistoryVectors:
    """The input vectors of item2vec."""
    item2vec = Item2vecConfig(
        factors=config.dimension,
        window=config.window,
        epochs=config.epochs,
        negatives=config.negatives,
        learning_rate=config.learning_rate,
        seed=config.seed,
    )
    try:
        model = train_item2vec(histories, item2vec, progress=progress)
    except ModelError as error:
        raise DataError(f"content {config.source_name!r}: {error}") from error
    return HistoryVectors.of(histories.items, model.sources)


def _load(folder: Path) -> PooledWords | HistoryVectors:
    return HistoryVectors.load(folder) if (folder / STATE).exists() else PooledWords.load(folder)


WORD2VEC = EncoderKind(
    Word2vecConfig,
    fit_word2vec,
    _load,
    reads_text=True,
    reads=read_columns,
    learns_from_histories=lambda config: config.on == "histories",
    unavailable=unavailable,
)
