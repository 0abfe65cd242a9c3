"""Comparisons: the ways in which the items of one version can be compared, made when they are first asked for."""

from collections.abc import Mapping
from copy import copy
from functools import cached_property
from typing import Self

import numpy as np

from recsys.artifacts.contents import Contents
from recsys.engine.comparison import By, Comparison, by_behaviour, by_both, by_content, needs_content
from recsys.engine.filters import FilterCache, Mask, SearchCache
from recsys.engine.text_search import TextSearch
from recsys.errors import NoTextSearchError
from recsys.retrieval.search import ItemSearch


class Comparisons:
    """What items are compared by, and searches among the items of recent filters. Threads may share it."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._filtered: dict[str, SearchCache] = {}

    def over(self, masks: FilterCache, changed: Mapping[str, Mask]) -> Self:
        """The same comparisons after the masks of some filters have `changed`; see `SearchCache.over`."""
        copied = copy(self)
        copied._filtered = {name: cache.over(masks, changed) for name, cache in [*self._filtered.items()]}
        return copied

    def comparison(self, by: By) -> Comparison:
        """How items are compared `by` something. Raises NoContentError."""
        if by == "behaviour":
            return self._behaviour
        return self._content if by == "content" else self._both

    def search(self, by: By, condition: str | None, mask: Mask | None) -> ItemSearch:
        """A search by cosine among the items that pass the filter `condition`, whose mask is `mask`; all if None."""
        return self._search(by, self.comparison(by), condition, mask)

    @property
    def can_search(self) -> bool:
        """Whether items can be found by words."""
        content = self._contents.content
        return content is not None and TextSearch.reads(content, self._contents.items)

    @cached_property
    def text(self) -> TextSearch:
        """How items are found by words. Raises NoTextSearchError, NoContentError."""
        found = TextSearch.of(needs_content(self._contents.content), self._contents.items)
        if found is None:
            raise NoTextSearchError
        return found

    def text_search(self, condition: str | None, mask: Mask | None) -> ItemSearch:
        """As `search`, of the sources that read texts. Raises NoTextSearchError, NoContentError."""
        return self._search("text", self.text.comparison, condition, mask)

    def _search(self, name: str, comparison: Comparison, condition: str | None, mask: Mask | None) -> ItemSearch:
        if condition is None or mask is None:
            return comparison.search
        factors = comparison.rows(_NO_POSITIONS).shape[1]
        cache = self._filtered.setdefault(name, SearchCache(comparison.search, comparison.rows, factors=factors))
        return cache.for_filter(condition, mask)

    @cached_property
    def _behaviour(self) -> Comparison:
        return by_behaviour(self._contents)

    @cached_property
    def _content(self) -> Comparison:
        return by_content(needs_content(self._contents.content))

    @cached_property
    def _both(self) -> Comparison:
        return by_both(self._contents, needs_content(self._contents.content))


_NO_POSITIONS = np.zeros(0, np.int32)
