"""Posted items in lists: each stands before the first listed item with a lower score."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Floats
from recsys.engine.answers import LISTED, UNKNOWN_ITEMS, Answer, Ranked, short_list
from recsys.engine.new_places import NO_OTHERS, TOO_LOW, UNFILLED, NewPlaces, is_about_places
from recsys.engine.new_share import Turns, asker, least_score
from recsys.engine.posted import Posted
from recsys.engine.question import Question
from recsys.engine.user_profiles import UserProfile
from recsys.retrieval.rescoring import inner_products


@dataclass(frozen=True, eq=False)
class PostedLists:
    """Puts the `posted` items of one moment into the lists of a version."""

    posted: Posted
    places: NewPlaces

    def with_posted(self, question: Question, answer: Answer, profile: UserProfile) -> Answer:
        """`answer` with the posted items that the question allows, if their score is high enough or it is their turn.

        A fallback list goes by popularity, of which they have none: there they stand at kept places only.
        """
        allowed = self._allowed(question)
        listed, scores = answer.items, self._scores(question, profile)
        if profile.status != "fallback":
            by_score = allowed[np.argsort(-scores[allowed], kind="stable")][: question.k]
            listed = _merged(listed, self._ranked(by_score, scores, question), question.k)
        listed = self._at_kept_places(question, listed, allowed, scores, is_fallback=profile.status == "fallback")
        listed = tuple(replace(item, rank=rank) for rank, item in enumerate(listed, start=1))
        n_waiting = int(sum(self.posted.items.ids.id_at(at) not in {it.item_id for it in listed} for at in allowed))
        return self._known(replace(answer, items=listed), question, n_waiting)

    def _allowed(self, question: Question) -> NDArray[np.intp]:
        """Intp (a,): the posted items that may be listed: all conditions hold, and they were not just used."""
        ids = self.posted.items.ids.ids.to_pylist()
        left_out = {*question.exclude, *(event.item_id for event in question.events)}
        include = None if question.include is None else set(question.include)
        kept = np.array([it not in left_out and (include is None or it in include) for it in ids], np.bool_)
        if question.filter is not None:
            kept &= self.posted.filters.mask(question.filter)
        return np.flatnonzero(kept & self.posted.vectors.any(axis=1))

    def _scores(self, question: Question, profile: UserProfile) -> Floats:
        """Float32 (m,): inner products, what neighbours add, and boosts."""
        every = np.arange(len(self.posted), dtype=np.int32)[None]
        counts = profile.counts_row(self.posted.added_by.shape[1])
        more = (counts @ self.posted.added_by.T).toarray().astype(np.float32)
        scores = inner_products(profile.vector[None], self.posted.vectors, every, more=more)[0]
        factor = np.array([question.boosts.get(it, 1.0) for it in self.posted.items.ids.ids.to_pylist()])
        boosted: Floats = np.where(scores < 0, scores / factor, scores * factor).astype(np.float32)
        return boosted

    def _at_kept_places(
        self,
        question: Question,
        listed: tuple[Ranked, ...],
        allowed: NDArray[np.intp],
        scores: Floats,
        *,
        is_fallback: bool,
    ) -> tuple[Ranked, ...]:
        """Up to half of the kept places, rounded up, go to posted items in turns.

        They take the places of the new items with the least scores, or, if there are too few, of the last items.
        """
        n_kept = self.places.n_asked(question)
        here = {item.item_id for item in listed}
        others = np.array([at for at in allowed.tolist() if self.posted.items.ids.id_at(at) not in here], np.int32)
        above = np.array([item.score for item in listed], np.float32)
        least = least_score(above, None if is_fallback else self.places.min_score)
        passing = others[scores[others] >= least]
        n_here = sum(self.posted.items.ids.position(item_id) is not None for item_id in here)
        turns = Turns.of_ids(self.places.bundle.manifest.version, self.posted.items.ids.ids.to_pylist())
        wanted = ceil(n_kept / 2) - n_here
        chosen = passing[turns.next(passing, wanted, user=asker(question), day=self.places.today())]
        chosen = chosen[np.argsort(-scores[chosen], kind="stable")]
        values = np.zeros_like(scores) if is_fallback else scores
        room = question.k - len(listed)
        replaced = _leaving(listed, len(chosen) - max(0, room))
        coming = list(self._ranked(chosen, values, question))
        kept = [coming.pop(0) if at in replaced else item for at, item in enumerate(listed)]
        return (*kept, *coming)

    def _ranked(self, at: NDArray[np.integer], scores: Floats, question: Question) -> tuple[Ranked, ...]:
        items = self.posted.items
        return tuple(
            Ranked(
                items.ids.id_at(each),
                float(scores[each]),
                0,
                items.title(each),
                attributes=items.attributes(each, question.fields) if question.fields else None,
                new=True,
            )
            for each in at.tolist()
        )

    def _known(self, answer: Answer, question: Question, n_waiting: int) -> Answer:
        """`answer`, in which posted items are not unknown, and which is short only if it is now."""
        unknown = tuple(it for it in answer.unknown_items if self.posted.items.ids.position(it) is None)
        answer = replace(answer, unknown_items=unknown)
        return replace(answer, warnings=tuple(self._warnings(answer, question, len(unknown), n_waiting)))

    def _warnings(self, answer: Answer, question: Question, n_unknown: int, n_waiting: int) -> Iterator[str]:
        """Those of the list without posted items that hold for the one with them; `n_waiting` are not listed."""
        n_listed, n_new = len(answer.items), sum(item.new is not None for item in answer.items)
        for warning in answer.warnings:
            if warning.startswith(UNKNOWN_ITEMS.format("")):
                if n_unknown:
                    yield UNKNOWN_ITEMS.format(n_unknown)
            elif LISTED in warning:
                if n_listed < question.k:
                    yield short_list(n_listed, []) + warning.partition(LISTED)[2]
            elif not is_about_places(warning):
                yield warning
            elif n_new < (wanted := self.places.n_asked(question)):
                yield UNFILLED.format(n_new, wanted, TOO_LOW if n_waiting or TOO_LOW in warning else NO_OTHERS)


def _merged(listed: Sequence[Ranked], coming: Sequence[Ranked], k: int) -> tuple[Ranked, ...]:
    """Both in one list of k: each of `coming`, best first, before the first of `listed` with a lower score."""
    merged, waiting = [], list(coming)
    for item in listed:
        while waiting and waiting[0].score > item.score:
            merged.append(waiting.pop(0))
        merged.append(item)
    return tuple([*merged, *waiting][:k])


def _leaving(listed: Sequence[Ranked], n: int) -> set[int]:
    """Which n places are given up: those of the new items with the least scores, then the last ones."""
    new = sorted((at for at, item in enumerate(listed) if item.new), key=lambda at: (listed[at].score, -at))
    old = [at for at in reversed(range(len(listed))) if not listed[at].new]
    return set([*new, *old][: max(0, n)])
