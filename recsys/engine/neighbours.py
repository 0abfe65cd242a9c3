"""Neighbours by cosine: of an item, of some items less others, of a user."""

from collections.abc import Sequence
from copy import copy
from functools import cached_property
from typing import Self

import numpy as np

from recsys.artifacts.bundle import Bundle
from recsys.data.arrays import Floats, Indices
from recsys.engine.answers import (
    ITEM_WITHOUT_VECTOR,
    ITEMS_WITHOUT_VECTOR,
    NO_DIRECTION,
    NO_KNOWN_WORD,
    NO_SIMILAR_USERS,
    UNKNOWN_ITEMS,
    Answer,
    Ranked,
    RankedUser,
    UserAnswer,
    ranked,
    short_list,
    with_fields,
)
from recsys.engine.comparison import Comparison
from recsys.engine.new_items import NewItems
from recsys.engine.ranking import storing
from recsys.engine.selection import EligibleItems
from recsys.engine.user_profiles import IsForgotten, nobody_is_forgotten
from recsys.retrieval.rescoring import inner_products, rounding_slack, squared_lengths
from recsys.retrieval.topk import TopK, near_top_k, top_k_of_candidates

ROWS_AT_ONCE = 65_536
"""How many user vectors are compared in one product."""


class Neighbours:
    """Compares the vectors of one version. Any number of threads may ask at once.

    `rows_at_once`: how many users are compared in one product; it changes no answer. `is_forgotten`: as of `Engine`.
    """

    def __init__(
        self,
        bundle: Bundle,
        new: NewItems,
        *,
        rows_at_once: int = ROWS_AT_ONCE,
        is_forgotten: IsForgotten = nobody_is_forgotten,
    ) -> None:
        self._bundle = bundle
        self._is_forgotten = is_forgotten
        self._new = new
        self._rows_at_once = rows_at_once

    def over(self, bundle: Bundle) -> Self:
        """The same neighbours, with other titles and attributes of the items."""
        changed = copy(self)
        changed._bundle = bundle
        return changed

    def items(
        self,
        positive: Indices,
        negative: Indices,
        *,
        k: int,
        eligible: EligibleItems,
        comparison: Comparison,
        unknown_items: tuple[str, ...] = (),
        fields: Sequence[str] = (),
    ) -> Answer:
        """The k items nearest to the direction of `positive` and away from `negative`, int32 (m,), none of these.

        The direction is the sum of the positive items' vectors, each of length one, less that of the negative ones':
        "king - man + woman" (Mikolov, Yih, Zweig, Linguistic Regularities in Continuous Space Word Representations,
        2013). Vectors are unscaled. `eligible`: which items may be found, and their search, of the vectors of
        `comparison`. `unknown_items`: unknown ids, to be named. `fields`: attributes that each item is listed with.
        """
        query, is_one = comparison.query(positive, negative), len(positive) == 1 and len(negative) == 0
        if not query.any():
            return self._answer(
                (), [ITEM_WITHOUT_VECTOR if is_one else NO_DIRECTION], k=k, unknown_items=unknown_items
            )
        given = np.union1d(positive, negative)
        items = self.nearest(query, k, eligible=eligible, exclude=given, fields=fields)
        without_vector = 0 if is_one else int((~comparison.rows(given).any(axis=1)).sum())
        warnings = [ITEMS_WITHOUT_VECTOR.format(without_vector)] if without_vector else []
        if len(items) < k:
            limits = [] if eligible.allowed is None else ["the filter"]
            warnings.append(short_list(len(items), limits, noun="other item"))
        return self._answer(items, warnings, k=k, unknown_items=unknown_items)

    def by_words(self, query: Floats, *, k: int, eligible: EligibleItems, fields: Sequence[str] = ()) -> Answer:
        """The k items nearest to the `query` of a text, float32 (1, d), of those with a cosine above zero.

        The query is zero if none of the words is known.
        """
        if not query.any():
            return self._answer((), [NO_KNOWN_WORD], k=k, unknown_items=())
        found = self.nearest(query, k, eligible=eligible, exclude=_NONE, fields=fields)
        items = tuple(item for item in found if item.score > 0)
        limits = ["the words", *([] if eligible.allowed is None else ["the filter"])]
        warnings = [short_list(len(items), limits)] if len(items) < k else []
        return self._answer(items, warnings, k=k, unknown_items=())

    def nearest(
        self, query: Floats, k: int, *, eligible: EligibleItems, exclude: Indices, fields: Sequence[str] = ()
    ) -> tuple[Ranked, ...]:
        """The k `eligible` items nearest to `query`, float32 (1, d), but for those at `exclude`, int32, ascending."""
        items = self._bundle.items
        found = eligible.search.search(query, k, exclude=storing([exclude], len(items.ids)))
        indices, scores = found.row(0)
        listed = ranked(items, indices, scores, new=self._new.marks(indices))
        return with_fields(listed, items, indices, fields)

    def users(self, user_id: str, vector: Floats, *, k: int, own: int | None) -> UserAnswer:
        """The k users whose trained vectors have the largest cosine with `vector`, float32 (d,), never the user.

        `user_id`: whose vector it is. `own`: its position among the trained ones, None for a user who was folded in.
        Users without a trained vector are never listed. The search is exact.
        """
        length = np.float32(np.sqrt(squared_lengths(vector[None])[0]))
        found: tuple[RankedUser, ...] = ()
        if length:
            places = enumerate(self._known_users((vector / length)[None], own, k), start=1)
            found = tuple(RankedUser(name, score, rank) for rank, (name, score) in places)
        warning = short_list(len(found), [], noun="other user") if length else NO_SIMILAR_USERS
        return UserAnswer(
            model_version=self._bundle.manifest.version,
            user_id=user_id,
            requested=k,
            users=found,
            warnings=(warning,) if len(found) < k else (),
        )

    def _known_users(self, direction: Floats, own: int | None, k: int) -> list[tuple[str, float]]:
        """The ids and cosines of the k nearest; so many more are looked at as were forgotten."""
        ids, wanted = self._bundle.users, k
        while True:
            at, scores = self._nearest_users(direction, own, wanted).row(0)
            named = [(ids.id_at(each), score) for each, score in zip(at.tolist(), scores.tolist(), strict=True)]
            known = [(name, score) for name, score in named if not self._is_forgotten(name)]
            if len(known) >= k or len(named) < wanted:
                return known[:k]
            wanted += max(k, wanted - len(known))

    def _answer(
        self, items: tuple[Ranked, ...], warnings: list[str], *, k: int, unknown_items: tuple[str, ...]
    ) -> Answer:
        unknown = [UNKNOWN_ITEMS.format(len(unknown_items))] if unknown_items else []
        return Answer(
            model_version=self._bundle.manifest.version,
            requested=k,
            items=items,
            warnings=(*unknown, *warnings),
            unknown_items=unknown_items,
        )

    def _nearest_users(self, direction: Floats, own: int | None, k: int) -> TopK:
        """The best by cosine with `direction`, float32 (1, d), but for `own`; near-ties settled as in a search."""
        cosines = self._cosines(direction[0])
        if own is not None:
            cosines[own] = -np.inf
        near = near_top_k(cosines[None], k, rounding_slack(direction, longest=1.0))
        users, lengths = self._bundle.model.embeddings.users, self._user_lengths
        settled = inner_products(direction, users, near.indices) / lengths[near.indices]
        return top_k_of_candidates(near.indices, np.where(near.filled, settled, np.float32(-np.inf)), k)

    @cached_property
    def _user_lengths(self) -> Floats:
        """float32 (n_users,): computed when users are first compared, because it reads every vector."""
        users = self._bundle.model.embeddings.users
        lengths: Floats = np.sqrt(squared_lengths(users)).astype(np.float32)
        return lengths

    def _cosines(self, direction: Floats) -> Floats:
        """float32 (n_users,): of every user's vector with `direction`, float32 (d,), of length one."""
        users, lengths = self._bundle.model.embeddings.users, self._user_lengths
        cosines = np.full(len(users), -np.inf, np.float32)
        for start in range(0, len(users), self._rows_at_once):
            block = slice(start, start + self._rows_at_once)
            np.divide(users[block] @ direction, lengths[block], out=cosines[block], where=lengths[block] > 0)
        return cosines


_NONE = np.zeros(0, np.int32)
