"""Selection: which items a question leaves to choose from."""

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

import numpy as np

from recsys.artifacts.bundle import Bundle
from recsys.artifacts.manifest import excludes_seen
from recsys.data.arrays import Floats, Indices
from recsys.engine.comparison import By, Comparison
from recsys.engine.comparisons import Comparisons
from recsys.engine.filters import FilterCache, Mask, SearchCache
from recsys.engine.item_updates import UpdatedItems
from recsys.engine.likeness import Likeness
from recsys.engine.new_items import NewItems
from recsys.engine.question import Question
from recsys.models.factors.embeddings import Embeddings
from recsys.retrieval.search import ItemSearch
from recsys.retrieval.selective import selective


@dataclass(frozen=True, eq=False)
class EligibleItems:
    """The items that may be listed for any user.

    `search`: finds the best of them. `allowed`: bool (n_items,), None if all are. `unknown_items`: ids of `include`
    that this version does not have.
    """

    search: ItemSearch
    allowed: Mask | None = None
    unknown_items: tuple[str, ...] = ()


class Selection:
    """Turns filters and lists of ids into positions. Recent filters are kept; any number of threads may ask."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._masks = FilterCache(bundle.items)
        embeddings = bundle.model.embeddings
        # Not bound methods: an object that refers to itself stays in memory until the garbage collector runs.
        self._gather = partial(_scoring_vectors, embeddings)
        self._searches = SearchCache(bundle.index, self._gather, factors=embeddings.factors)
        self.comparisons = Comparisons(bundle)
        """What items are compared by."""
        self.likeness = Likeness(bundle, self.comparisons)
        """What new items are like."""
        self._new_search: list[ItemSearch] = []
        self._is_exact = False
        self._excludes_seen = excludes_seen(bundle.manifest)

    def with_exact_search(self) -> Self:
        """The same selection, searched by comparing every item; it shares the caches of this one."""
        changed = copy(self)
        changed._is_exact = True
        return changed

    def over(self, bundle: Bundle, updated: UpdatedItems) -> Self:
        """The same selection among the `updated` items of `bundle`; recent filters stay compiled."""
        changed = copy(self)
        changed._bundle = bundle
        changed._masks, masks = self._masks.over(bundle.items, updated.positions, updated.columns)
        changed._searches = self._searches.over(changed._masks, masks)
        changed.comparisons = self.comparisons.over(changed._masks, masks)
        changed.likeness = self.likeness.over(bundle)
        return changed

    def eligible(self, question: Question) -> EligibleItems:
        """The items that `filter` and `include` leave. Raises FilterError."""
        mask = None if question.filter is None else self._masks.mask(question.filter)
        if question.include is not None:
            return self._searched(self._included(question.include, mask))
        if question.filter is None or mask is None:
            return self._searched(EligibleItems(self._bundle.index))
        return self._searched(EligibleItems(self._searches.for_filter(question.filter, mask), mask))

    def among_new(self, eligible: EligibleItems, new: NewItems) -> ItemSearch:
        """A search among the `new` items that are `eligible`."""
        if eligible.allowed is None:
            search: ItemSearch = self._among_all_new(new)
        else:
            search = self._among(eligible.allowed & new.mask)
        return search.exact if self._is_exact else search

    def _among_all_new(self, new: NewItems) -> ItemSearch:
        """Made once: the vectors of all new items are gathered."""
        if not self._new_search:
            self._new_search.append(self._among(new.mask))
        return self._new_search[0]

    def _among(self, mask: Mask) -> ItemSearch:
        return selective(self._bundle.index, self._gather, mask, factors=self._bundle.model.embeddings.factors)

    def comparison(self, by: By) -> Comparison:
        """How items are compared `by` something. Raises NoContentError."""
        return self.comparisons.comparison(by)

    def eligible_neighbours(self, condition: str | None, by: By = "behaviour") -> EligibleItems:
        """The items that pass the filter `condition`, and a search by cosine among them.

        Raises FilterError, NoContentError.
        """
        mask = None if condition is None else self._masks.mask(condition)
        return self._searched(EligibleItems(self.comparisons.search(by, condition, mask), mask))

    def eligible_by_words(self, condition: str | None) -> EligibleItems:
        """As `eligible_neighbours`, for `query_of_words`. Raises FilterError, NoTextSearchError, NoContentError."""
        mask = None if condition is None else self._masks.mask(condition)
        return self._searched(EligibleItems(self.comparisons.text_search(condition, mask), mask))

    def query_of_words(self, text: str) -> Floats:
        """Float32 (1, d), see `TextSearch.query`. Raises NoTextSearchError, NoContentError."""
        return self.comparisons.text.query(text)

    @property
    def can_search(self) -> bool:
        """Whether items can be found by words."""
        return self.comparisons.can_search

    def has_compiled(self, condition: str) -> bool:
        """Whether the filter `condition` is in the cache."""
        return condition in self._masks

    def excluded(self, question: Question, seen: Indices) -> tuple[Indices, tuple[str, ...]]:
        """Positions that are not listed for this user, int32 (m,), ascending, and the unknown ids of `exclude`.

        `seen`: int32 (s,), ascending, what the user has seen.
        """
        left_out = seen if self.excludes_seen(question) else seen[:0]
        if not question.exclude:
            return left_out, ()
        listed, unknown = self.positions(question.exclude)
        return np.union1d(left_out, listed), unknown

    def excludes_seen(self, question: Question) -> bool:
        """Whether the list leaves out seen items: as the question asks, else as the version was evaluated."""
        return self._excludes_seen if question.exclude_seen is None else question.exclude_seen

    def positions(self, item_ids: Iterable[str]) -> tuple[Indices, tuple[str, ...]]:
        """Positions int32 (m,) of the known ids, in their order, and the unknown ids; each id once."""
        ids = list(dict.fromkeys(item_ids))
        found, known = self._bundle.items.ids.encode(ids)
        return found, tuple(item_id for item_id, is_known in zip(ids, known, strict=True) if not is_known)

    def _included(self, include: Iterable[str], mask: Mask | None) -> EligibleItems:
        listed, unknown = self.positions(include)
        allowed = np.zeros(len(self._bundle.items.ids), np.bool_)
        allowed[listed] = True if mask is None else mask[listed]
        return EligibleItems(self._among(allowed), allowed, unknown)

    def _searched(self, eligible: EligibleItems) -> EligibleItems:
        return replace(eligible, search=eligible.search.exact) if self._is_exact else eligible


def _scoring_vectors(embeddings: Embeddings, positions: Indices) -> Floats:
    vectors: Floats = embeddings.items[positions] * embeddings.item_scale[positions][:, None]
    return vectors
