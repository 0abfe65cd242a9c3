"""Which items a question leaves to choose from."""

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from recsys.artifacts.bundle import Bundle
from recsys.data.arrays import Floats, Indices
from recsys.engine.filters import FilterCache, Mask, SearchCache
from recsys.engine.question import Question
from recsys.engine.user_profiles import UserProfile
from recsys.models.factors.embeddings import Embeddings
from recsys.retrieval.exact import normalised
from recsys.retrieval.search import ItemSearch
from recsys.retrieval.selective import selective


@dataclass(frozen=True, eq=False)
class EligibleItems:
    """The items that may be listed at all, whoever asks.

    `search`: finds the best of them. `allowed`: bool (n_items,), None where all are. `unknown_items`: ids of
    `include` that are none of this version.
    """

    search: ItemSearch
    allowed: Mask | None = None
    unknown_items: tuple[str, ...] = ()


class Selection:
    """Turns filters and lists of ids into positions. Filters asked for last are kept; any threads may ask."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._masks = FilterCache(bundle.items)
        embeddings = bundle.model.embeddings
        # Not bound methods: what refers to itself keeps its version in memory until the garbage collector comes by.
        self._gather = partial(_scoring, embeddings)
        self._searches = SearchCache(bundle.index, self._gather, factors=embeddings.factors)
        self._similar = SearchCache(bundle.similar, partial(_directions, embeddings), factors=embeddings.factors)
        self._compares_all = False

    def exactly(self) -> "Selection":
        """The same selection, searched by comparing every item; it shares what this one keeps."""
        changed = copy(self)
        changed._compares_all = True
        return changed

    def among(self, question: Question) -> EligibleItems:
        """The items that `filter` and `include` leave. Raises FilterError."""
        return self._searched(self._among(question))

    def _among(self, question: Question) -> EligibleItems:
        mask = None if question.filter is None else self._masks.mask(question.filter)
        if question.include is None:
            if question.filter is None or mask is None:
                return EligibleItems(self._bundle.index)
            return EligibleItems(self._searches.among(question.filter, mask), mask)
        listed, unknown = self.positions(question.include)
        allowed = np.zeros(len(self._bundle.items.ids), np.bool_)
        allowed[listed] = True if mask is None else mask[listed]
        factors = self._bundle.model.embeddings.factors
        return EligibleItems(selective(self._bundle.index, self._gather, allowed, factors=factors), allowed, unknown)

    def has_compiled(self, condition: str) -> bool:
        """Whether the filter `condition` was asked for lately."""
        return condition in self._masks

    def similar_among(self, condition: str | None) -> EligibleItems:
        """The items that pass the filter `condition`, and a search by cosine among them. Raises FilterError."""
        if condition is None:
            return self._searched(EligibleItems(self._bundle.similar))
        mask = self._masks.mask(condition)
        return self._searched(EligibleItems(self._similar.among(condition, mask), mask))

    def _searched(self, among: EligibleItems) -> EligibleItems:
        return replace(among, search=among.search.exact) if self._compares_all else among

    def excluded(self, question: Question, person: UserProfile) -> tuple[Indices, tuple[str, ...]]:
        """Positions that this person does not get, int32 (m,), ascending, and the ids of `exclude` not known."""
        seen = person.seen if question.exclude_seen else person.seen[:0]
        if not question.exclude:
            return seen, ()
        listed, unknown = self.positions(question.exclude)
        return np.union1d(seen, listed), unknown

    def positions(self, item_ids: Iterable[str]) -> tuple[Indices, tuple[str, ...]]:
        """Positions int32 (m,) of the ids that are known, in their order, and the others; each id once."""
        ids = list(dict.fromkeys(item_ids))
        found, known = self._bundle.items.ids.encode(ids)
        return found, tuple(item_id for item_id, is_known in zip(ids, known, strict=True) if not is_known)


def _scoring(embeddings: Embeddings, positions: Indices) -> Floats:
    vectors: Floats = embeddings.items[positions] * embeddings.item_scale[positions][:, None]
    return vectors


def _directions(embeddings: Embeddings, positions: Indices) -> Floats:
    return normalised(embeddings.items[positions])
