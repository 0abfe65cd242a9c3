"""Texts as the sentences of words that gensim trains on, and the settings that its models share."""

import importlib.util
import zlib
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from pydantic import Field

from recsys.config import LARGEST_SEED
from recsys.content.config import EncoderConfig
from recsys.content.words import words_in
from recsys.errors import ConfigError, DataError
from recsys.extras import install
from recsys.progress import Progress, silent

LONGEST = 10_000
"""gensim silently drops the words after this place of a sentence."""

_TEXTS_AT_ONCE = 4096


class TrainedConfig(EncoderConfig):
    """The keys of encoders that gensim trains on the catalogue or on the log."""

    dimension: int = Field(100, ge=1, le=4096, description="of the vectors")
    epochs: int = Field(20, ge=1, le=10_000, description="passes over all texts or histories")
    negatives: int = Field(5, ge=1, le=100, description="words or items drawn by chance per pair")
    min_count: int = Field(
        2, ge=1, le=1_000_000, description="words that occur less often in the catalogue are left out"
    )
    sample: float = Field(
        1e-3,
        ge=0,
        le=1,
        description="words of a larger share of all are skipped at random, the more so the more frequent; 0: none",
    )
    learning_rate: float = Field(0.05, gt=0, le=1, description="at the start; it falls to zero over the epochs")
    seed: int = Field(1, ge=0, le=LARGEST_SEED, description="of the fit")

    def for_gensim(self) -> dict[str, Any]:
        """The settings that gensim's models share. One thread, so that the same texts and seed give the same bits."""
        return {
            "vector_size": self.dimension,
            "epochs": self.epochs,
            "negative": self.negatives,
            "min_count": self.min_count,
            "sample": self.sample,
            "alpha": self.learning_rate,
            "seed": self.seed,
            "workers": 1,
            "hashfxn": stable_hash,
        }


def unavailable() -> str | None:
    """What is missing, in words; None if gensim is installed."""
    if importlib.util.find_spec("gensim") is not None:
        return None
    return f"needs gensim, which is not installed; {install('text')}"


def check_gensim(config: TrainedConfig) -> None:
    """Raise ConfigError if gensim is missing."""
    if reason := unavailable():
        raise ConfigError(f"content {config.source_name!r}: {config.encoder!r} {reason}")


class Sentences:
    """The words of texts in lower case, a list per text; of longer ones, per `longest` words. Any number of passes.

    Each pass is a step of the progress.
    """

    def __init__(
        self, texts: pa.StringArray, config: TrainedConfig, *, progress: Progress = silent, longest: int = LONGEST
    ) -> None:
        self._texts, self._longest, self._progress = texts, longest, progress
        self._stage, self._passes, self._done = f"encode: {config.encoder}, training", config.epochs + 1, 0

    def placed(self) -> Iterator[tuple[int, list[str]]]:
        """The place of the text and its words."""
        for start in range(0, len(self._texts), _TEXTS_AT_ONCE):
            for at, text in enumerate(self._texts[start : start + _TEXTS_AT_ONCE].to_pylist(), start):
                words = words_in(text.lower())
                for first in range(0, len(words), self._longest):
                    yield at, words[first : first + self._longest]
        self._done += 1
        self._progress(self._stage, self._done, self._passes)

    def __iter__(self) -> Iterator[list[str]]:
        return (words for _, words in self.placed())


def train(model: Any, sentences: Any, config: TrainedConfig) -> None:
    """Train gensim's `model`; raises DataError if no word of `sentences` is frequent enough."""
    model.build_vocab(sentences)
    if not model.wv.index_to_key:
        at_least = f"no word that occurs {config.min_count} times (`min_count`)"
        raise DataError(f"content {config.source_name!r}: nothing to learn from: {at_least}")
    model.train(sentences, total_examples=model.corpus_count, epochs=model.epochs)


def stable_hash(word: str) -> int:
    """A hash of a string that is the same in every process, unlike Python's own."""
    return zlib.crc32(word.encode("utf-8", "replace"))
