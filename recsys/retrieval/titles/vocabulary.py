"""Vocabulary: sorted words, those that begin with one, and those that nearly do."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA
from rapidfuzz.process import cdist

from recsys.data.arrays import Indices
from recsys.data.id_map import IdMap

_PAIRS = 1 << 16
_INDEXED = 16
"""Characters of a word whose pairs are indexed."""

_MOST_COMPARED, _MOST_NEAR = 20_000, 200
_ONE_ERROR_FROM, _TWO_ERRORS_FROM = 4, 8


def errors_allowed(word: str) -> int:
    """Typing errors that a word of this length may have: a letter too many, missing, wrong, or two swapped."""
    return (len(word) >= _ONE_ERROR_FROM) + (len(word) >= _TWO_ERRORS_FROM)


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Words in the order of their bytes; a word's number is its position."""

    words: IdMap

    def starting_with(self, prefix: str) -> range:
        """The numbers of the words that begin with `prefix`."""
        return self.words.starting_with(prefix)

    def near(self, word: str) -> list[tuple[int, int]]:
        """Words whose beginning is `word` but for 1 or 2 errors: distance and number, the nearest first.

        The distance is that of optimal string alignment to the nearest beginning. Up to 200 words; words that share
        too few pairs of letters with `word` are not compared.
        """
        errors = errors_allowed(word)
        if not errors or not len(self.words):
            return []
        numbers = self._alike(word, errors)
        distance = _distances(word, [self.words.id_at(at) for at in numbers.tolist()], errors)
        close = np.flatnonzero((distance > 0) & (distance <= errors))
        order = close[np.argsort(distance[close], kind="stable")][:_MOST_NEAR]
        return [(int(distance[at]), int(numbers[at])) for at in order]

    def _alike(self, word: str, errors: int) -> Indices:
        """Words that share enough pairs of letters, and those that begin with `word` with two neighbours swapped."""
        starts, numbers = self._pairs
        wanted = np.unique(_pair_keys(word))
        shared = np.bincount(
            np.concatenate([numbers[starts[key] : starts[key + 1]] for key in wanted.tolist()]),
            minlength=len(self.words),
        )
        alike = np.flatnonzero(shared >= max(2, len(wanted) - 2 * errors))
        if len(alike) > _MOST_COMPARED:
            alike = alike[np.argpartition(-shared[alike], _MOST_COMPARED)[:_MOST_COMPARED]]
        swapped = [
            self.starting_with(word[:at] + word[at + 1] + word[at] + word[at + 2 :])[:_MOST_NEAR]
            for at in range(len(word) - 1)
        ]
        return np.unique(np.concatenate([alike, *map(np.asarray, swapped)])).astype(np.int32)

    @cached_property
    def _pairs(self) -> tuple[NDArray[np.int64], Indices]:
        """By key of a pair, where its words begin and end: int64 (_PAIRS + 1,), and the words: int32 (n,)."""
        words = [word[:_INDEXED] for word in self.words.ids.to_pylist()]
        length = np.array([len(word) for word in words], np.int64)
        keys = _keys(np.frombuffer("".join(words).encode("utf-32-le"), np.uint32), np.cumsum(length) - length)
        order = np.argsort(keys, kind="stable")
        counts = np.bincount(keys, minlength=_PAIRS)
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        return starts, np.repeat(np.arange(len(words), dtype=np.int32), length)[order]


def _pair_keys(word: str) -> NDArray[np.uint16]:
    return _keys(np.frombuffer(word[:_INDEXED].encode("utf-32-le"), np.uint32), np.zeros(1, np.int64))


def _keys(letters: NDArray[np.uint32], starts: NDArray[np.int64]) -> NDArray[np.uint16]:
    """The key of each letter with the one before it; words begin at `starts`, after a letter 0."""
    before = np.concatenate([np.zeros(1, np.uint32), letters[:-1]])
    before[starts[starts < len(letters)]] = 0
    return ((before * np.uint32(31_337) + letters) & np.uint32(_PAIRS - 1)).astype(np.uint16)


def _distances(word: str, others: list[str], errors: int) -> NDArray[np.uint8]:
    """Uint8 (n,): the least distance of `word` to a beginning of each of `others`; more than `errors` if it is."""
    if not others:
        return np.zeros(0, np.uint8)
    lengths = range(len(word) - errors, len(word) + errors + 1)
    of_each = [
        cdist(
            [word],
            [other[:length] for other in others],
            scorer=OSA.distance,
            score_cutoff=errors,
            dtype=np.uint8,
        )[0]
        for length in lengths
    ]
    return np.asarray(np.min(of_each, axis=0), np.uint8)
