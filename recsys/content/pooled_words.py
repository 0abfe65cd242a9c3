"""Texts as weighted means of the vectors of their words: smooth inverse frequency.

Arora, Liang, Ma (2017). A Simple but Tough-to-Beat Baseline for Sentence Embeddings.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from recsys.content.config import EncoderConfig
from recsys.content.encoder import Encoded
from recsys.content.pooling import summed, text_problems
from recsys.content.subwords import Subwords
from recsys.content.texts import texts_of
from recsys.content.words import words_in
from recsys.data.arrays import Floats, read_only, save_array
from recsys.data.items import Items
from recsys.data.loading import damage_named, load_array, load_json
from recsys.errors import DataError
from recsys.progress import Progress, silent
from recsys.retrieval.exact import normalised

_TEXTS_AT_ONCE = 4096
_STATE, _ARRAYS = "words.json", ("word_vectors.npy", "word_weights.npy", "common.npy")
# A mean that is the common part but for this share says nothing of its own.
_LEAST_SHARE = 1e-3

Halves = NDArray[np.float16]


class PoolingConfig(EncoderConfig):
    """The keys of encoders that average the vectors of words."""

    smoothing: float = Field(
        1e-3,
        gt=0,
        le=1,
        description="a in the weight a / (a + p) of a word, p its share of all words of the catalogue; the smaller, "
        "the less frequent words count",
    )
    common_parts: int = Field(
        1, ge=0, le=20, description="main directions of the catalogue's texts that are taken out of every vector"
    )


@dataclass(frozen=True, eq=False)
class PooledWords:
    """`words`, and for each: `vectors` float16 (n_words, d), finite; `weights` float32 (n_words,).

    `common`: float32 (c, d), orthonormal: the directions that are taken out. `subwords`: makes vectors of words that
    are not among `words`. `stage`: its name in the progress.
    Raises DataError if they do not fit together.
    """

    columns: tuple[str, ...]
    words: tuple[str, ...]
    vectors: Halves
    weights: Floats
    common: Floats
    subwords: Subwords | None = None
    stage: str = "words"

    def __post_init__(self) -> None:
        n, d = len(self.words), self.vectors.shape[-1]
        for name, dtype, shape in (
            ("vectors", np.float16, (n, d)),
            ("weights", np.float32, (n,)),
            ("common", np.float32, (len(self.common), d)),
        ):
            array = getattr(self, name)
            if array.dtype != dtype or array.shape != shape or not np.isfinite(array).all():
                raise DataError(f"{name} {array.dtype} {array.shape}, expected finite {np.dtype(dtype)} {shape}")
            object.__setattr__(self, name, read_only(array))

    @property
    def dimension(self) -> int:
        """The dimension d of its vectors."""
        return int(self.vectors.shape[1])

    def encode(self, items: Items, *, progress: Progress = silent) -> Encoded:
        """The vectors of `items`; zero for an item without a known word, or that only has what all have in common."""
        texts = texts_of(items, self.columns)
        vectors, known = np.zeros((len(texts), self.dimension), np.float32), np.zeros(len(texts), bool)
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            progress(f"encode: {self.stage}", start, len(texts))
            rows = slice(start, start + _TEXTS_AT_ONCE)
            means = self.means(texts[rows].to_pylist())
            vectors[rows], known[rows] = self._without_common(means), means.any(axis=1)
        progress(f"encode: {self.stage}", len(texts), len(texts))
        return Encoded(vectors, text_problems(vectors, texts, items.ids, known=known))

    def means(self, texts: Sequence[str]) -> Floats:
        """Float32 (n, d): (1 / m) sum over the m known words w of a text of a / (a + p(w)) v_w; zeros for none."""
        known, unknown = zip(*map(self._places, texts), strict=True) if texts else ((), ())
        sums = summed(known, self.vectors, weights=self.weights)
        n_words = np.fromiter(map(len, known), np.float32, len(known))
        if self.subwords is not None:
            more, n_more = self.subwords.summed(unknown)
            sums, n_words = sums + more, n_words + n_more
        return (sums / np.maximum(n_words, 1)[:, None]).astype(np.float32)

    def _places(self, text: str) -> tuple[list[int], list[str]]:
        """The places of the known words of `text`, as written or in lower case; and the words that are unknown."""
        place, known, unknown = self._place, list[int](), list[str]()
        for word in words_in(text):
            at = place.get(word, -1)
            at = place.get(word.lower(), -1) if at < 0 else at
            if at < 0:
                unknown.append(word.lower())
            else:
                known.append(at)
        return known, unknown

    def _without_common(self, means: Floats) -> Floats:
        left = means - (means @ self.common.T) @ self.common
        before, after = (np.linalg.norm(each, axis=1) for each in (means, left))
        left[after <= _LEAST_SHARE * before] = 0
        return normalised(np.ascontiguousarray(left, np.float32))

    @cached_property
    def _place(self) -> Mapping[str, int]:
        return {word: at for at, word in enumerate(self.words)}

    def save(self, folder: Path) -> None:
        """Write words.json, word_vectors.npy, word_weights.npy, common.npy and the subwords into `folder`."""
        state = {
            "columns": self.columns,
            "words": self.words,
            "stage": self.stage,
            "subwords": self.subwords is not None,
        }
        (folder / _STATE).write_text(json.dumps(state), encoding="utf-8")
        arrays: tuple[NDArray[Any], ...] = (self.vectors, self.weights, self.common)
        for name, array in zip(_ARRAYS, arrays, strict=True):
            save_array(array, folder / name)
        if self.subwords is not None:
            self.subwords.save(folder)

    @staticmethod
    def load(folder: Path) -> "PooledWords":
        """Read what `save` wrote. Raises ArtifactError if it is missing or damaged."""
        state = load_json(folder / _STATE)
        with damage_named(folder, f"{', '.join(_ARRAYS)} and {_STATE}"):
            vectors, weights, common = (np.asarray(load_array(folder / name)) for name in _ARRAYS)
            subwords = Subwords.load(folder) if state["subwords"] else None
            columns, words = tuple(state["columns"]), tuple(state["words"])
            return PooledWords(columns, words, vectors, weights, common, subwords, str(state["stage"]))


def fit_pooling(
    texts: pa.StringArray,
    counts: Counter[str],
    config: PoolingConfig,
    *,
    columns: tuple[str, ...],
    words: tuple[str, ...],
    vectors: Floats,
    subwords: Subwords | None = None,
) -> PooledWords:
    """Learn the weights and the common part from `texts` of the catalogue, whose words occur as `counts` says.

    `vectors`: float32 (n_words, d), of `words`; kept as float16. The weight of a word is a / (a + p), a the
    `smoothing`, p its share of all words of `texts`. The common part has the first right singular vectors of the
    matrix of all means. Raises DataError if a vector is too large for float16.
    """
    with np.errstate(over="ignore"):  # infinity is refused by the type
        halves = vectors.astype(np.float16)
    none = np.zeros((0, vectors.shape[1]), np.float32)
    raw = PooledWords(columns, words, halves, np.ones(len(words), np.float32), none, subwords, config.encoder)
    share = _shares(raw, counts)
    raw = replace(raw, weights=(config.smoothing / (config.smoothing + share)).astype(np.float32))
    return replace(raw, common=_main_directions(raw, texts, config.common_parts))


def _shares(pooled: PooledWords, counts: Counter[str]) -> NDArray[np.float64]:
    """float64 (n_words,): how often each word occurs, as a share of all words."""
    occurs = np.zeros(len(pooled.words))
    place = {word: at for at, word in enumerate(pooled.words)}
    for word, count in counts.items():
        at = place.get(word, place.get(word.lower(), -1))
        if at >= 0:
            occurs[at] += count
    return occurs / max(counts.total(), 1)


def _main_directions(pooled: PooledWords, texts: pa.StringArray, n_parts: int) -> Floats:
    """float32 (n_parts, d): the first right singular vectors of the means of `texts`, by their Gram matrix."""
    gram = np.zeros((pooled.dimension, pooled.dimension))
    for start in range(0, len(texts) if n_parts else 0, _TEXTS_AT_ONCE):
        means = pooled.means(texts[start : start + _TEXTS_AT_ONCE].to_pylist()).astype(np.float64)
        gram += means.T @ means
    _, directions = np.linalg.eigh(gram)
    return np.ascontiguousarray(directions.T[::-1][:n_parts], np.float32)
