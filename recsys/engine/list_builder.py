"""ListBuilder: questions in, answers out; questions that search alike are searched together."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import repeat

import numpy as np

from recsys.artifacts.bundle import Bundle
from recsys.data.arrays import Floats, Indices, ones
from recsys.engine.answers import (
    HIDDEN,
    HIDDEN_BESIDE_NEW,
    UNKNOWN_ITEMS,
    Answer,
    Ranked,
    check_fields,
    limits_of,
    ranked,
    refuse_incomplete,
    short_list,
    with_fields,
)
from recsys.engine.new_places import NewPlaces
from recsys.engine.post_processing import boosted, diversified, explain, pool_size
from recsys.engine.question import Question
from recsys.engine.ranking import Ranker, storing
from recsys.engine.selection import EligibleItems, Selection
from recsys.engine.stopping import Check, go_on, in_chunks
from recsys.engine.user_profiles import UserProfile, UserProfiles
from recsys.errors import InvalidRequestError
from recsys.tracing import span

_TOGETHER = 64
"""The most questions that are searched together: the time between two checks, and memory, stay bounded."""


@dataclass(frozen=True, eq=False)
class ResolvedQuestion:
    """A question in the positions of one version.

    `eligible`: what may be listed at all. `excluded`: int32 (m,), ascending, what is not listed for this user.
    `boosts`: a factor per position. `unknown_items`: ids of the question that this version does not have, each once.
    """

    question: Question
    profile: UserProfile
    eligible: EligibleItems
    excluded: Indices
    boosts: Mapping[int, float]
    unknown_items: tuple[str, ...]

    @property
    def n_candidates(self) -> int:
        """How many of the best items must be looked at, so that no other can be on the list."""
        k = self.question.k
        return (pool_size(k) if self.question.diversity else k) + len(self.boosts)


Profile = Callable[[Question], UserProfile]
"""Makes the profile of the user of a question."""


class ListBuilder:
    """Answers questions from one bundle. Immutable: any number of threads may ask at once."""

    def __init__(
        self,
        bundle: Bundle,
        *,
        profiles: UserProfiles,
        ranker: Ranker,
        selection: Selection,
        places: NewPlaces,
    ) -> None:
        self._bundle = bundle
        self._new, self._places = places.new, places
        self._profiles = profiles
        self._ranker = ranker
        self._selection = selection
        self._likeness = selection.likeness

    def answer(self, questions: Sequence[Question], *, check: Check = go_on) -> list[Answer]:
        """An answer to each question, in the order asked; no question changes the answer to another.

        Questions that leave the same items to choose from are answered together, up to 64 at a time, so that a filter
        is evaluated once and its search is not kept longer than it is needed. `check` is called between questions.
        Raises InvalidRequestError if one of them is out of bounds or has events that this version refuses (and says
        which, counted from 0, if there are several), and, for those that are strict, UnknownUserError,
        UnknownItemError and IncompleteAnswerError.
        """
        groups: defaultdict[object, list[int]] = defaultdict(list)
        for at, question in enumerate(questions):
            groups[question.filter, question.include].append(at)
        answers: dict[int, Answer] = {}
        profile = self._profiles.remembering()
        for group in groups.values():
            for places in in_chunks(group, _TOGETHER):
                answers.update(self._answer_some(questions, places, check, profile))
        return [answers[at] for at in range(len(questions))]

    def _answer_some(
        self, questions: Sequence[Question], places: Sequence[int], check: Check, profile: Profile
    ) -> Iterator[tuple[int, Answer]]:
        """Answers to the questions at `places`, which leave the same items, by place."""
        alike: defaultdict[object, list[tuple[int, ResolvedQuestion]]] = defaultdict(list)
        for at in places:
            check()
            resolved = self._resolved(questions, at, profile)
            keeps_places = self._places.n_kept(resolved.question) > 0
            alike[resolved.n_candidates, keeps_places].append((at, resolved))
        for group in alike.values():
            ats, some = zip(*group, strict=True)
            yield from zip(ats, self._search_together(some, check), strict=True)

    def _resolved(self, questions: Sequence[Question], at: int, profile: Profile) -> ResolvedQuestion:
        try:
            return self._resolve(questions[at], profile)
        except InvalidRequestError as error:
            if len(questions) == 1:
                raise
            raise InvalidRequestError(f"question {at}: {error}") from error

    def _resolve(self, question: Question, profile_of: Profile) -> ResolvedQuestion:
        question.check()
        check_fields(question.fields, self._bundle.items)
        profile, eligible = profile_of(question), self._selection.eligible(question)
        excluded, not_excluded = self._selection.excluded(question, profile.seen)
        boosts, not_boosted = self._boosts(question) if question.boosts else ({}, ())
        unknown = (*profile.unknown_items, *eligible.unknown_items, *not_excluded, *not_boosted)
        return ResolvedQuestion(question, profile, eligible, excluded, boosts, tuple(dict.fromkeys(unknown)))

    def _boosts(self, question: Question) -> tuple[dict[int, float], tuple[str, ...]]:
        """A factor per position, and the unknown ids."""
        positions, unknown = self._selection.positions(question.boosts)
        factors = (question.boosts[self._bundle.items.ids.id_at(at)] for at in positions.tolist())
        return dict(zip(positions.tolist(), factors, strict=True)), unknown

    def _search_together(self, alike: Sequence[ResolvedQuestion], check: Check) -> Iterator[Answer]:
        """Answers to questions that look at the same number of candidates, found among the same items."""
        eligible, n_items = alike[0].eligible, len(self._bundle.items.ids)
        profiles = [resolved.profile for resolved in alike]
        vectors = profiles[0].vector[None] if len(alike) == 1 else np.stack([each.vector for each in profiles])
        counts = None
        if self._ranker.has_neighbours:
            counted = None if all(each.emphasis is None for each in profiles) else [each.counts for each in profiles]
            counts = storing([each.history[0] for each in profiles], n_items, counted)
        exclude = storing([resolved.excluded for resolved in alike], n_items)
        with span("search", n_questions=len(alike), n_candidates=alike[0].n_candidates):
            top = self._ranker.rank(
                vectors,
                alike[0].n_candidates,
                counts=counts,
                exclude=exclude,
                search=eligible.search,
                allowed=eligible.allowed,
            )
        pools: Iterable[tuple[Indices, Floats] | None] = repeat(None, len(alike))
        if self._places.n_kept(alike[0].question):
            pools = self._places.pools(vectors, counts=counts, exclude=exclude, eligible=eligible)
        for row, (resolved, pool) in enumerate(zip(alike, pools, strict=True)):
            check()
            yield self._build(resolved, *top.row(row), pool=pool)

    def _build(
        self,
        resolved: ResolvedQuestion,
        indices: Indices,
        scores: Floats,
        *,
        pool: tuple[Indices, Floats] | None = None,
    ) -> Answer:
        """The answer made of the candidates at `indices`, int32 (n,), best first, with their scores float32 (n,).

        `pool`: the new items that take turns at the kept places, if there are any.
        """
        question, profile = resolved.question, resolved.profile
        indices, scores, multiplier = self._post_processed(resolved, indices, scores)
        filled = None
        if pool is not None:
            listed, is_fallback = (indices, scores, multiplier), profile.status == "fallback"
            (indices, scores, multiplier), filled = self._places.fill(
                question, listed, pool, boosts=resolved.boosts, is_fallback=is_fallback
            )
        items = ranked(self._bundle.items, indices, scores, new=self._new.marks(indices))
        items = with_fields(items, self._bundle.items, indices, question.fields)
        if question.explain and profile.status != "fallback":
            items = self._explained(items, profile, indices=indices, multiplier=multiplier)
        if question.explain and len(self._new):
            items = tuple(
                replace(item, like=self._likeness.of(at, profile.history[0])) if item.new else item
                for item, at in zip(items, indices.tolist(), strict=True)
            )
        unknown = [UNKNOWN_ITEMS.format(len(resolved.unknown_items))] if resolved.unknown_items else []
        short = [short_list(len(items), self._limits(resolved))] if len(items) < question.k else []
        answer = Answer(
            model_version=self._bundle.manifest.version,
            user_id=question.user_id,
            user_status=profile.status,
            requested=question.k,
            items=items,
            warnings=(*unknown, *profile.warnings, *self._places.warnings(question, filled), *short),
            unknown_items=resolved.unknown_items,
        )
        if question.strict:
            refuse_incomplete(answer, is_user=self._is_user(question))
        return answer

    def _post_processed(
        self, resolved: ResolvedQuestion, indices: Indices, scores: Floats
    ) -> tuple[Indices, Floats, Floats]:
        """The k candidates that are listed, their scores, and what those were multiplied by; in order."""
        k, diversity = resolved.question.k, resolved.question.diversity
        multiplier = ones(len(scores))
        if resolved.boosts:
            indices, scores = self._with_boosted(resolved, indices, scores)
            indices, scores, multiplier = boosted(indices, scores, resolved.boosts)
        if not diversity:
            return indices[:k], scores[:k], multiplier[:k]
        vectors = self._bundle.model.embeddings.items[indices]
        chosen = diversified(scores, vectors, k=k, diversity=diversity)
        return indices[chosen], scores[chosen], multiplier[chosen]

    def _with_boosted(self, resolved: ResolvedQuestion, indices: Indices, scores: Floats) -> tuple[Indices, Floats]:
        """The candidates, and every boosted item that may be listed."""
        vector, counts = resolved.profile.vector, resolved.profile.counts_row(len(self._bundle.items.ids))
        boosted_items = np.array(list(resolved.boosts), np.int32)
        extra = np.setdiff1d(boosted_items, [*indices, *resolved.excluded]).astype(np.int32)
        extra = extra[self._ranker.can_list(vector, extra)]
        if resolved.eligible.allowed is not None:
            extra = extra[resolved.eligible.allowed[extra]]
        return np.append(indices, extra), np.append(scores, self._ranker.scores(vector, extra, counts=counts))

    def _explained(
        self, items: tuple[Ranked, ...], profile: UserProfile, *, indices: Indices, multiplier: Floats
    ) -> tuple[Ranked, ...]:
        explained = explain(
            profile,
            indices,
            scores=[item.score for item in items],
            multiplier=multiplier,
            model=self._bundle.model,
            items=self._bundle.items,
        )
        return tuple(
            replace(item, reasons=reasons, rest=rest) for item, (reasons, rest) in zip(items, explained, strict=True)
        )

    def _limits(self, resolved: ResolvedQuestion) -> list[str]:
        profile = resolved.profile
        has_seen = len(profile.seen) > 0 and self._selection.excludes_seen(resolved.question)
        hides = self._ranker.hides(profile.vector, resolved.eligible.allowed)
        beside_new = len(self._new) > 0 and profile.status != "fallback"
        hidden = (HIDDEN_BESIDE_NEW if beside_new else HIDDEN) if hides else None
        return limits_of(resolved.question, has_seen=has_seen, hidden=hidden)

    def _is_user(self, question: Question) -> bool:
        return question.user_id is None or self._profiles.find(question.user_id) is not None
