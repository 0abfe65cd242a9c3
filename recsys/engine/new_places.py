"""NewPlaces: fills the places that lists of one version keep for new items."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from recsys.artifacts.bundle import Bundle
from recsys.artifacts.manifest import new_share_of
from recsys.data.arrays import Floats, Indices
from recsys.data.matrix import Csr
from recsys.engine.new_items import NewItems
from recsys.engine.new_share import POOL, Filled, Today, Turns, asker, fill_places, n_places
from recsys.engine.post_processing import boosted
from recsys.engine.question import Question
from recsys.engine.ranking import Ranker
from recsys.engine.selection import EligibleItems, Selection
from recsys.retrieval.topk import TopK

Candidates = tuple[Indices, Floats, Floats]
"""Positions int32 (n,), scores float32 (n,), and what boosts multiplied these by, float32 (n,)."""

UNFILLED = "only {} of {} places kept for new items are filled, because {}"
NO_NEW = "this version has no new items, so `new_share` changes nothing"
TOO_LOW = "the scores of the others are below `cold_start.new_min_score`"
NO_OTHERS = "no other new item can be listed"


def is_about_places(warning: str) -> bool:
    """Whether a warning says that kept places are not filled."""
    return warning == NO_NEW or "places kept for new items" in warning


@dataclass(frozen=True, eq=False)
class NewPlaces:
    """The kept places of one version. `today`: makes turns move on. Immutable: any number of threads may ask."""

    bundle: Bundle
    new: NewItems
    ranker: Ranker
    selection: Selection
    today: Today

    def n_kept(self, question: Question) -> int:
        """How many places the list of `question` keeps; 0 if the version has no new items."""
        return self.n_asked(question) if len(self.new) else 0

    def n_asked(self, question: Question) -> int:
        """How many places the question asks for, or the version if the question does not say."""
        share = self.share if question.new_share is None else question.new_share
        return n_places(question.k, share) if share else 0

    def warnings(self, question: Question, filled: Filled | None) -> tuple[str, ...]:
        """Why kept places are not filled; a version without new items says so only if the question asks for some."""
        if filled is None:
            return (NO_NEW,) if question.new_share and not len(self.new) else ()
        if filled.found >= filled.wanted:
            return ()
        return (UNFILLED.format(filled.found, filled.wanted, TOO_LOW if filled.too_low else NO_OTHERS),)

    def pools(
        self, vectors: Floats, *, counts: Csr | None, exclude: Csr, eligible: EligibleItems
    ) -> list[tuple[Indices, Floats]]:
        """For each of `vectors`, float32 (n, d), its best new items and their scores, best first, up to POOL.

        `counts`, `exclude`, `eligible`: as of `Ranker.rank`. For a vector that is all zero they are all new items,
        because only popularity is known there, and that of new items is zero.
        """
        known = np.flatnonzero(vectors.any(axis=1))
        search = self.selection.among_new(eligible, self.new)
        known_counts = None if counts is None else counts[known]
        found = self.ranker.rank(
            vectors[known], POOL, counts=known_counts, exclude=exclude[known], search=search
        ).rows()
        return list(self._each(vectors, iter(found), exclude, eligible))

    def _each(
        self, vectors: Floats, found: Iterator[tuple[Indices, Floats]], exclude: Csr, eligible: EligibleItems
    ) -> Iterator[tuple[Indices, Floats]]:
        for row, vector in enumerate(vectors):
            if vector.any():
                yield next(found)
            else:
                excluded = exclude.indices[exclude.indptr[row] : exclude.indptr[row + 1]]
                left = np.setdiff1d(self._eligible(eligible), excluded, assume_unique=True)
                yield left, self.bundle.popularity[left]

    def fill(
        self,
        question: Question,
        listed: Candidates,
        pool: tuple[Indices, Floats],
        *,
        boosts: Mapping[int, float],
        is_fallback: bool,
    ) -> tuple[Candidates, Filled]:
        """The list with new items of the pool at the kept places, and what became of these."""
        others = boosted(*pool, boosts) if boosts else (*pool, np.ones(len(pool[0]), np.float32))
        filled = fill_places(
            listed[:2],
            others[:2],
            k=question.k,
            n_kept=self.n_kept(question),
            is_new=self.new.mask,
            min_score=None if is_fallback else self.min_score,
            choose=partial(self._turns.next, user=asker(question), day=self.today()),
        )
        positions, scores, multiplier = (
            np.concatenate([one, other])[filled.order] for one, other in zip(listed, others, strict=True)
        )
        return (positions, scores, multiplier), filled

    def fill_all(
        self,
        question: Question,
        user_ids: Sequence[str],
        found: TopK,
        *,
        pools: Sequence[tuple[Indices, Floats]],
        vectors: Floats,
    ) -> TopK:
        """`found` with new items at the kept places of every list, which are for `vectors`, float32 (n, d)."""
        indices, scores, counts = found.indices.copy(), found.scores.copy(), found.counts.copy()
        for row, (user_id, listed) in enumerate(zip(user_ids, found.rows(), strict=True)):
            one = (*listed, np.ones(len(listed[0]), np.float32))
            asked = replace(question, user_id=user_id)
            whole, _ = self.fill(asked, one, pools[row], boosts={}, is_fallback=not vectors[row].any())
            counts[row] = len(whole[0])
            indices[row, : counts[row]], scores[row, : counts[row]] = whole[:2]
        return TopK(indices, scores, counts)

    def _eligible(self, eligible: EligibleItems) -> Indices:
        positions = self.new.positions
        return positions if eligible.allowed is None else positions[eligible.allowed[positions]]

    @property
    def share(self) -> float:
        """`cold_start.new_share` of the version."""
        return self._default[0]

    @property
    def min_score(self) -> float:
        """`cold_start.new_min_score` of the version."""
        return self._default[1]

    @cached_property
    def _default(self) -> tuple[float, float]:
        return new_share_of(self.bundle.manifest)

    @cached_property
    def _turns(self) -> Turns:
        return Turns.of(self.bundle.manifest.version, len(self.bundle.items.ids))
