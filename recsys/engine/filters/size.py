"""How much a filter asks for, counted in its text before it is parsed."""

import re
from functools import lru_cache
from typing import NamedTuple

from recsys.engine.filters.parsing import MAX_TEXT

# What is quoted may hold anything; a quote that is never closed is an error for the parser.
_QUOTED = re.compile(r"`[^`]*`|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'", re.DOTALL)
_SIGN = re.compile(r"[=<>]+|\b(?:in|is|between|contains)\b", re.IGNORECASE)


class FilterSize(NamedTuple):
    """What a filter asks for: its conditions, those among them that look into texts, and its listed values."""

    n_conditions: int
    n_contains: int
    n_values: int


@lru_cache(1024)
def filter_size(text: str) -> FilterSize:
    """The size of the filter `text`, which may be none. A text beyond the longest filter counts as empty.

    `contains` within a quoted name or text does not count.
    """
    if len(text) > MAX_TEXT:
        return FilterSize(0, 0, 0)
    bare = _QUOTED.sub('""', text)
    signs = [sign.lower() for sign in _SIGN.findall(bare)]
    return FilterSize(len(signs), signs.count("contains"), bare.count(","))
