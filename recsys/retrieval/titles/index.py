"""TitleIndex: rows found by the beginnings of the words of their titles."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recsys.data.arrays import Floats, Indices
from recsys.data.id_map import IdMap
from recsys.retrieval.titles.vocabulary import Vocabulary
from recsys.retrieval.titles.words import words_of, words_of_text

MAX_WORDS = 8
"""Words of a question that count."""

_WHOLE, _BEGINNING, _NEAR, _PER_ERROR = 1.2, 1.0, 0.7, 0.15
_FIRST, _NOTHING_ELSE, _POPULAR = 0.3, 0.5, 0.5
"""What a word adds, and what is added if it is the title's first, the title has no other, the row is popular."""


@dataclass(frozen=True, eq=False)
class TitleIndex:
    """Which titles have which word.

    `rows`: int32 (n_words,), by word and then by row; `starts`: int64 (len(vocabulary) + 1,), where each word's rows
    begin; `is_first`: bool (n_words,), whether the word is the title's first. `n_words`: int16 (n,) of each title.
    `prominence`: float32 (n,), from 0 to 1.
    """

    vocabulary: Vocabulary
    starts: NDArray[np.int64]
    rows: Indices
    is_first: NDArray[np.bool_]
    n_words: NDArray[np.int16]
    prominence: Floats

    @staticmethod
    def of(titles: pa.Array, popularity: Floats) -> "TitleIndex":
        """The index of `titles`, strings (n,), null if unknown; `popularity`: float32 (n,), not below zero."""
        lists = words_of(titles)
        flat, bounds = lists.flatten(), lists.offsets.to_numpy()
        n_words = np.diff(bounds)
        words, number = IdMap.of(flat)
        order = np.argsort(number, kind="stable")
        row = np.repeat(np.arange(len(titles), dtype=np.int32), n_words)
        is_first = np.zeros(len(flat), np.bool_)
        is_first[bounds[:-1][n_words > 0] - bounds[0]] = True
        counts = np.bincount(number, minlength=len(words))
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        log = np.log1p(np.maximum(popularity, 0)).astype(np.float32)
        most = float(log.max(initial=0)) or 1.0
        return TitleIndex(
            Vocabulary(words), starts, row[order], is_first[order], n_words.astype(np.int16), log / most
        )

    def find(self, text: str, most: int, *, near: bool = False) -> Indices:
        """Up to `most` rows whose titles have all words of `text`, or words that begin so, best first: int32 (m,).

        `near`: words with typing errors count too. Whole words count more than beginnings, the first word of a title
        more than others, and of equals the popular one. Up to 8 words are looked at; no word finds nothing.
        """
        words = words_of_text(text, MAX_WORDS)
        if not words or not len(self.n_words):
            return np.zeros(0, np.int32)
        total = self._weights(words[0], near)
        for word in words[1:]:
            more = self._weights(word, near)
            np.add(total, more, out=total, where=(total > 0) & (more > 0))
            total[more == 0] = 0
        found = np.flatnonzero(total).astype(np.int32)
        weight = total[found] / np.float32(len(words)) + np.float32(_POPULAR) * self.prominence[found]
        is_all = (self.n_words[found] == len(words)) & (total[found] >= _WHOLE * len(words))
        weight[is_all] += np.float32(_NOTHING_ELSE)
        return found[_best(weight, most)]

    def _weights(self, word: str, near: bool) -> Floats:
        """Float32 (n,): what `word` adds to each row, zero if its title has no such word."""
        weights = np.zeros(len(self.n_words), np.float32)
        for weight, rows in sorted(self._pieces(word, near), key=lambda piece: piece[0]):
            weights[rows] = weight  # the largest last
        return weights

    def _pieces(self, word: str, near: bool) -> Iterator[tuple[float, Indices]]:
        beginning = self.vocabulary.starting_with(word)
        for distance, at in self.vocabulary.near(word) if near else ():
            yield from self._of_words(range(at, at + 1), _NEAR - _PER_ERROR * distance)
        yield from self._of_words(beginning, _BEGINNING)
        if beginning and self.vocabulary.words.id_at(beginning[0]) == word:
            yield from self._of_words(beginning[:1], _WHOLE)

    def _of_words(self, numbers: range, weight: float) -> Iterator[tuple[float, Indices]]:
        place = slice(self.starts[numbers.start], self.starts[numbers.stop])
        rows, is_first = self.rows[place], self.is_first[place]
        yield weight, rows
        yield weight + _FIRST, rows[is_first]


def _best(weight: Floats, most: int) -> NDArray[np.int64]:
    """Positions of the `most` largest, the largest first, equals in their order."""
    if len(weight) > most:
        least = np.partition(weight, len(weight) - most)[len(weight) - most]
        above, equal = np.flatnonzero(weight > least), np.flatnonzero(weight == least)
        kept = np.sort(np.concatenate([above, equal[: most - len(above)]]))
        return kept[np.argsort(-weight[kept], kind="stable")]
    return np.argsort(-weight, kind="stable")
