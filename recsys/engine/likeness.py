"""Likeness: which known items a new item is like, and by what."""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Self

import numpy as np

from recsys.artifacts.contents import Contents
from recsys.content.space import ContentSpace
from recsys.data.arrays import Floats, Indices
from recsys.engine.answers import Like
from recsys.engine.comparison import Comparison
from recsys.engine.comparisons import Comparisons
from recsys.engine.ranking import storing
from recsys.engine.shared_attributes import shared_columns

N_LIKE = 2
"""The most items that one is said to be like."""

LEAST_COSINE = 0.25
"""An item of the history is named if its content has at least this cosine with that of the new item."""

_KEPT = 4_096
_NAMED_SHARE, _MOST_NAMED = 0.5, 3


@dataclass(frozen=True, eq=False)
class Likeness:
    """Compares the content of one version's items. Threads may share it."""

    contents: Contents
    comparisons: Comparisons

    def over(self, contents: Contents) -> Self:
        """The same, with other titles and attributes of the items."""
        copied = copy(self)
        object.__setattr__(copied, "contents", contents)
        return copied

    def of(self, item: int, history: Indices) -> tuple[Like, ...] | None:
        """What the new item at `item` is like: of `history`, int32 (m,), the nearest with users, else of all items.

        None if the version has no content, or nothing is near.
        """
        if self.contents.content is None:
            return None
        warm = history[self.contents.model.item_degree[history] > 0]
        near = self._nearest_of(item, warm)
        return self._named(item, near if len(near) else np.array(self._nearest(item), np.int32)) or None

    def _nearest_of(self, item: int, warm: Indices) -> Indices:
        """Those of the items `warm` that are near enough, at most N_LIKE, nearest first."""
        cosines = self._rows(warm) @ self._rows(np.array([item], np.int32))[0]
        order = np.lexsort((warm, -cosines))[:N_LIKE]
        near: Indices = warm[order[cosines[order] >= LEAST_COSINE]]
        return near

    def _rows(self, positions: Indices) -> Floats:
        return self._comparison.rows(positions)

    def _named(self, item: int, near: Indices) -> tuple[Like, ...]:
        items = self.contents.items
        return tuple(Like(items.ids.id_at(at), items.title(at), self._by(item, at)) for at in near.tolist())

    def _by(self, item: int, other: int) -> tuple[str, ...]:
        """The columns of the sources that make the two alike, the one that adds most to the cosine first.

        Sources that add less than half as much are left out, and so are columns in which the two share nothing; if
        that leaves none, a source is named by all its columns.
        """
        content: ContentSpace | None = self.contents.content
        sources = () if content is None else content.sources
        added = [source.weight * float(source.vectors[item] @ source.vectors[other]) for source in sources]
        largest = max(added, default=0.0)
        named = [at for at in np.argsort(-np.array(added), kind="stable") if added[at] >= _NAMED_SHARE * largest > 0]
        items = self.contents.items
        columns = [name for at in named for name in shared_columns(items, item, other, sources[at].columns)]
        if not columns:
            columns = [name for at in named for name in sources[at].columns or (sources[at].name,)]
        return tuple(dict.fromkeys(columns))[:_MOST_NAMED]

    @property
    def _comparison(self) -> Comparison:
        return self.comparisons.comparison("content")

    @cached_property
    def _nearest(self) -> Callable[[int], tuple[int, ...]]:
        """The nearest item with users, for items asked for before: every item is compared for one that was not."""
        untouched = np.flatnonzero(self.contents.model.item_degree == 0).astype(np.int32)
        comparison, exclude = self._comparison, storing([untouched], self.contents.model.item_degree.size)

        @lru_cache(_KEPT)
        def nearest(item: int) -> tuple[int, ...]:
            query = comparison.rows(np.array([item], np.int32))
            indices, scores = comparison.search.search(query, 1, exclude=exclude).row(0)
            return tuple(indices[scores > 0].tolist())

        return nearest
