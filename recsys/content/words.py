"""Words of texts, and how often each occurs."""

import re
from collections import Counter

import pyarrow as pa

_WORD = re.compile(r"[^\W_]+")
_TEXTS_AT_ONCE = 8192


def words_in(text: str) -> list[str]:
    """The words of `text` in their order: runs of letters and digits; "it's" is "it" and "s"."""
    return _WORD.findall(text)


def word_counts(texts: pa.StringArray) -> Counter[str]:
    """How often each word is in `texts`, as it is written."""
    counts = Counter[str]()
    for start in range(0, len(texts), _TEXTS_AT_ONCE):
        for text in texts[start : start + _TEXTS_AT_ONCE].to_pylist():
            counts.update(words_in(text))
    return counts
