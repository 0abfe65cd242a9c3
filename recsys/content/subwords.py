"""Vectors of unknown words from their n-grams, as fastText makes them.

Bojanowski, Grave, Joulin, Mikolov (2017). Enriching Word Vectors with Subword Information.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recsys.content.pooling import summed
from recsys.data.arrays import Floats, Indices, read_only, save_array
from recsys.data.loading import load_array, load_json
from recsys.errors import DataError

_STATE, _BUCKETS, _VECTORS = "subwords.json", "ngram_buckets.npy", "ngram_vectors.npy"
_PRIME, _OFFSET = 16777619, 2166136261


@dataclass(frozen=True, eq=False)
class Subwords:
    """`buckets`: int32 (m,), ascending: those n-grams' hashes, modulo `n_buckets`, that training met.

    `vectors`: float16 (m, d), finite. `shortest`, `longest`: characters of an n-gram, with the marks "<" and ">" of
    the word's beginning and end. Raises DataError if they do not fit together.
    """

    shortest: int
    longest: int
    n_buckets: int
    buckets: Indices
    vectors: NDArray[np.float16]

    def __post_init__(self) -> None:
        m = len(self.buckets)
        if self.buckets.dtype != np.int32 or self.vectors.dtype != np.float16 or len(self.vectors) != m:
            raise DataError(f"n-grams: {m} {self.buckets.dtype} and {self.vectors.shape} {self.vectors.dtype}")
        if not np.isfinite(self.vectors).all() or (np.diff(self.buckets) <= 0).any():
            raise DataError("n-grams: their buckets are not ascending, or their vectors are not finite")
        object.__setattr__(self, "buckets", read_only(self.buckets))
        object.__setattr__(self, "vectors", read_only(self.vectors))

    def summed(self, texts: Sequence[Sequence[str]]) -> tuple[Floats, Floats]:
        """Float32 (n, d): for each list of words the sum of their vectors; float32 (n,): how many of them have one.

        The vector of a word is the mean of those of its n-grams that training met.
        """
        sums = np.zeros((len(texts), self.vectors.shape[1]), np.float32)
        counted = np.zeros(len(texts), np.float32)
        pairs = [(row, places) for row, words in enumerate(texts) for word in words if (places := self._places(word))]
        if pairs:
            row = np.array([row for row, _ in pairs])
            lengths = np.array([len(places) for _, places in pairs], np.float32)
            means = summed([places for _, places in pairs], self.vectors) / lengths[:, None]
            np.add.at(sums, row, means)
            np.add.at(counted, row, 1)
        return sums, counted

    def _places(self, word: str) -> list[int]:
        """The rows of `vectors` that the n-grams of `word` have."""
        hashes = np.array(ngram_buckets(word, self.shortest, self.longest, n_buckets=self.n_buckets), np.int32)
        at = np.searchsorted(self.buckets, hashes)
        found = at < len(self.buckets)
        found[found] = self.buckets[at[found]] == hashes[found]
        places: list[int] = at[found].tolist()
        return places

    def save(self, folder: Path) -> None:
        """Write subwords.json, ngram_buckets.npy and ngram_vectors.npy into `folder`."""
        state = {"shortest": self.shortest, "longest": self.longest, "n_buckets": self.n_buckets}
        (folder / _STATE).write_text(json.dumps(state), encoding="utf-8")
        save_array(self.buckets, folder / _BUCKETS)
        save_array(self.vectors, folder / _VECTORS)

    @staticmethod
    def load(folder: Path) -> "Subwords":
        """Read what `save` wrote. Raises ArtifactError, ValueError, KeyError or DataError if it is damaged."""
        state = load_json(folder / _STATE)
        buckets, vectors = (np.asarray(load_array(folder / name)) for name in (_BUCKETS, _VECTORS))
        return Subwords(int(state["shortest"]), int(state["longest"]), int(state["n_buckets"]), buckets, vectors)


def ngram_buckets(word: str, shortest: int, longest: int, *, n_buckets: int) -> list[int]:
    """The buckets of the n-grams of `word`: FNV-1a of their UTF-8 bytes, each taken as a signed number, modulo.

    An n-gram of the mark "<" or ">" alone does not count.
    """
    marked = f"<{word}>"
    grams = (
        marked[start : start + length]
        for start in range(len(marked))
        for length in range(shortest, min(longest, len(marked) - start) + 1)
        if not (length == 1 and (start == 0 or start == len(marked) - 1))
    )
    return [_hash(gram.encode("utf-8", "replace")) % n_buckets for gram in grams]


def _hash(data: bytes) -> int:
    value = _OFFSET
    for byte in data:
        signed = byte if byte < 128 else byte | 0xFFFFFF00  # fastText reads bytes as signed characters
        value = ((value ^ signed) * _PRIME) & 0xFFFFFFFF
    return value
