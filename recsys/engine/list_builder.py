"""Listing: questions in, answers out, as many at once as are alike."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recsys.artifacts.bundle import Bundle
from recsys.data.arrays import Floats, Indices
from recsys.data.matrix import rows_storing
from recsys.engine.answers import Answer, Ranked, ranked
from recsys.engine.boosting import boosted
from recsys.engine.diversity import diversified, pool_size
from recsys.engine.explaining import explain
from recsys.engine.list_warnings import refuse_shortcomings, warnings_of
from recsys.engine.question import Question
from recsys.engine.ranking import Ranker
from recsys.engine.selection import EligibleItems, Selection
from recsys.engine.user_profiles import UserProfile, UserProfiles
from recsys.errors import InvalidRequestError


@dataclass(frozen=True, eq=False)
class ResolvedQuestion:
    """A question in the positions of one version.

    `among`: what may be listed at all. `excluded`: int32 (m,), ascending, what this person does not get. `boosts`:
    factor by position. `unknown_items`: ids of the question that are none of this version, each once.
    """

    question: Question
    person: UserProfile
    among: EligibleItems
    excluded: Indices
    boosts: Mapping[int, float]
    unknown_items: tuple[str, ...]

    @property
    def n_candidates(self) -> int:
        """How many of the best items must be looked at, so that no other can be on the list."""
        k = self.question.k
        return (pool_size(k) if self.question.diversity else k) + len(self.boosts)


class ListBuilder:
    """Answers questions from one bundle. Immutable: any number of threads may ask at once."""

    def __init__(self, bundle: Bundle, *, persons: UserProfiles, ranker: Ranker, selection: Selection) -> None:
        self._bundle = bundle
        self._persons = persons
        self._ranker = ranker
        self._selection = selection

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """An answer to each question, in the order asked, none of them touched by the others.

        Raises InvalidRequestError where one of them keeps no bound or tells what this version refuses (and says
        which, counted from 0, where there are several), and, for those that are strict, UnknownUserError,
        UnknownItemError and IncompleteAnswerError.
        """
        groups: defaultdict[object, list[tuple[int, ResolvedQuestion]]] = defaultdict(list)
        for at, understood in enumerate(self._understand_all(questions)):
            question = understood.question
            groups[understood.n_candidates, question.filter, question.include].append((at, understood))
        answers: dict[int, Answer] = {}
        for group in groups.values():
            places, alike = zip(*group, strict=True)
            answers.update(zip(places, self._rank(alike), strict=True))
        return [answers[at] for at in range(len(questions))]

    def _understand_all(self, questions: Sequence[Question]) -> Iterator[ResolvedQuestion]:
        for at, question in enumerate(questions):
            try:
                yield self._understand(question)
            except InvalidRequestError as error:
                if len(questions) == 1:
                    raise
                raise InvalidRequestError(f"question {at}: {error}") from error

    def _understand(self, question: Question) -> ResolvedQuestion:
        question.check()
        person, among = self._persons.person(question), self._selection.among(question)
        excluded, not_excluded = self._selection.excluded(question, person)
        boosts, not_boosted = self._boosts(question) if question.boosts else ({}, ())
        unknown = (*person.unknown_items, *among.unknown_items, *not_excluded, *not_boosted)
        return ResolvedQuestion(question, person, among, excluded, boosts, tuple(dict.fromkeys(unknown)))

    def _boosts(self, question: Question) -> tuple[dict[int, float], tuple[str, ...]]:
        """Factors by position, and the ids that are not known."""
        boosted, unknown = self._selection.positions(question.boosts)
        factors = (question.boosts[self._bundle.items.ids.id_at(at)] for at in boosted.tolist())
        return dict(zip(boosted.tolist(), factors, strict=True)), unknown

    def _rank(self, alike: Sequence[ResolvedQuestion]) -> list[Answer]:
        """Answers to questions that look at the same number of candidates, found among the same items."""
        among = alike[0].among
        top = self._ranker.rank(
            np.stack([understood.person.vector for understood in alike]),
            alike[0].n_candidates,
            exclude=rows_storing([understood.excluded for understood in alike], len(self._bundle.items.ids)),
            search=among.search,
            allowed=among.allowed,
        )
        return [self._compose(understood, top.row(row)) for row, understood in enumerate(alike)]

    def _compose(self, understood: ResolvedQuestion, found: tuple[Indices, Floats]) -> Answer:
        question, person = understood.question, understood.person
        indices, scores, multiplier = self._arranged(understood, *found)
        items = ranked(self._bundle.items, indices, scores)
        if question.explain and person.status != "fallback":
            items = self._explained(items, person, indices, multiplier)
        warnings = warnings_of(question, person, listed=len(items), unknown=understood.unknown_items)
        version = self._bundle.manifest.version
        answer = Answer(version, person.status, question.k, items, warnings, understood.unknown_items)
        if question.strict:
            refuse_shortcomings(answer, is_user=self._is_user(question))
        return answer

    def _arranged(
        self, understood: ResolvedQuestion, indices: Indices, scores: Floats
    ) -> tuple[Indices, Floats, Floats]:
        """The k candidates that are listed, their scores, and what those were multiplied by; in order."""
        k, diversity = understood.question.k, understood.question.diversity
        multiplier: Floats = np.ones(len(scores), np.float32)
        if understood.boosts:
            indices, scores = self._with_boosted(understood, indices, scores)
            indices, scores, multiplier = boosted(indices, scores, understood.boosts)
        if not diversity:
            return indices[:k], scores[:k], multiplier[:k]
        vectors = self._bundle.model.embeddings.items[indices]
        chosen = diversified(scores, vectors, k, diversity=diversity)
        return indices[chosen], scores[chosen], multiplier[chosen]

    def _with_boosted(self, understood: ResolvedQuestion, indices: Indices, scores: Floats) -> tuple[Indices, Floats]:
        """The candidates, and every boosted item that may be listed."""
        extra = np.setdiff1d(np.array(list(understood.boosts), np.int32), [*indices, *understood.excluded])
        if understood.among.allowed is not None:
            extra = extra[understood.among.allowed[extra]]
        more = self._ranker.scores(understood.person.vector, extra.astype(np.int32))
        return np.append(indices, extra).astype(np.int32), np.append(scores, more)

    def _explained(
        self, items: tuple[Ranked, ...], person: UserProfile, indices: Indices, multiplier: Floats
    ) -> tuple[Ranked, ...]:
        scores = [item.score for item in items]
        explained = explain(person, indices, scores, multiplier, model=self._bundle.model, items=self._bundle.items)
        return tuple(
            replace(item, reasons=reasons, rest=rest) for item, (reasons, rest) in zip(items, explained, strict=True)
        )

    def _is_user(self, question: Question) -> bool:
        return question.user_id is None or self._bundle.users.position(question.user_id) is not None
