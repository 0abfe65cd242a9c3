"""fastText, trained on the texts of the catalogue; gensim trains it.

Bojanowski, Grave, Joulin, Mikolov (2017). Enriching Word Vectors with Subword Information.
"""

import importlib
from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator

from recsys.content.encoder import EncoderKind
from recsys.content.pooled_words import PooledWords, PoolingConfig, fit_pooling
from recsys.content.sentences import Sentences, TrainedConfig, check_gensim, train, unavailable
from recsys.content.subwords import Subwords, ngram_buckets
from recsys.content.texts import text_columns, texts_of
from recsys.content.words import word_counts
from recsys.data.items import Items
from recsys.data.matrix import InteractionMatrix
from recsys.progress import Progress, silent


class FasttextConfig(TrainedConfig, PoolingConfig):
    """fastText (skip-gram) trained on the catalogue's texts: an unknown word gets a vector from its n-grams."""

    encoder: Literal["fasttext"] = Field("fasttext", description="how the vectors are made")
    window: int = Field(5, ge=1, le=1000, description="words to either side that count as neighbours")
    shortest_ngram: int = Field(3, ge=1, le=20, description="characters of an n-gram, at least")
    longest_ngram: int = Field(6, ge=1, le=20, description="characters of an n-gram, at most")
    buckets: int = Field(
        100_000, ge=1, le=10_000_000, description="rows that n-grams share by their hash; those in use are sealed"
    )

    @model_validator(mode="after")
    def _lengths_in_order(self) -> "FasttextConfig":
        if self.shortest_ngram > self.longest_ngram:
            raise ValueError(f"shortest_ngram {self.shortest_ngram} is above longest_ngram {self.longest_ngram}")
        return self


def fit_fasttext(
    items: Items, config: FasttextConfig, *, histories: InteractionMatrix | None = None, progress: Progress = silent
) -> PooledWords:
    """Train fastText on the texts of `items`.

    Raises ConfigError if gensim is missing; DataError if there is nothing to learn from.
    """
    check_gensim(config)
    columns = text_columns(items, config.columns)
    texts = texts_of(items, columns)
    model = importlib.import_module("gensim.models.fasttext").FastText(
        sg=1,
        window=config.window,
        min_n=config.shortest_ngram,
        max_n=config.longest_ngram,
        bucket=config.buckets,
        **config.for_gensim(),
    )
    train(model, Sentences(texts, config, progress=progress), config)
    words, vectors = tuple(model.wv.index_to_key), np.asarray(model.wv.vectors)
    subwords = _subwords(model, words, config)
    counts = word_counts(texts)
    return fit_pooling(texts, counts, config, columns=columns, words=words, vectors=vectors, subwords=subwords)


def _subwords(model: Any, words: tuple[str, ...], config: FasttextConfig) -> Subwords:
    """The n-grams of `words`. Those of no word keep their vectors by chance, and are left out."""
    shortest, longest = config.shortest_ngram, config.longest_ngram
    met = {bucket for word in words for bucket in ngram_buckets(word, shortest, longest, n_buckets=config.buckets)}
    buckets = np.array(sorted(met), np.int32)
    vectors = np.asarray(model.wv.vectors_ngrams)[buckets].astype(np.float16)
    return Subwords(shortest, longest, config.buckets, buckets, vectors)


FASTTEXT = EncoderKind(FasttextConfig, fit_fasttext, PooledWords.load, reads_text=True, unavailable=unavailable)
