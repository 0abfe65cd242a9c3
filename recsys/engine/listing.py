"""Listing: questions in, answers out, as many at once as are alike."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from recsys.artifacts.bundle import Bundle
from recsys.data.arrays import Floats, Indices
from recsys.data.matrix import Csr
from recsys.engine.answers import Answer, Ranked, UserStatus, ranked
from recsys.engine.explaining import explain
from recsys.engine.persons import NO_VECTOR, Person, Persons
from recsys.engine.question import Question
from recsys.engine.ranking import Ranker

LEFT = "only {} items are left that this user has not seen"
ALL = "there are only {} items"


class Lister:
    """Answers questions from one bundle. Immutable: any number of threads may ask at once."""

    def __init__(self, bundle: Bundle, persons: Persons, ranker: Ranker) -> None:
        self._bundle = bundle
        self._persons = persons
        self._ranker = ranker

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """An answer to each question, in the order asked, none of them touched by the others.

        Raises InvalidRequestError where one of them keeps no bound or tells events that this version refuses.
        """
        for question in questions:
            question.check()
        persons = [self._persons.person(question) for question in questions]
        alike: defaultdict[int, list[int]] = defaultdict(list)
        for at, question in enumerate(questions):
            alike[question.k].append(at)
        found: dict[int, Answer] = {}
        for group in alike.values():
            answers = self._rank([questions[at] for at in group], [persons[at] for at in group])
            found.update(zip(group, answers, strict=True))
        return [found[at] for at in range(len(questions))]

    def _rank(self, questions: Sequence[Question], persons: Sequence[Person]) -> list[Answer]:
        """Answers to questions with the same k."""
        vectors = np.stack([person.vector for person in persons])
        excluded = [
            person.seen if question.exclude_seen else person.seen[:0]
            for question, person in zip(questions, persons, strict=True)
        ]
        lists = self._ranker.rank(vectors, questions[0].k, exclude=_rows(excluded, self._bundle.seen.shape[1]))
        return [
            self._compose(question, person, lists.top.row(row), fallback=bool(lists.fallback[row]))
            for row, (question, person) in enumerate(zip(questions, persons, strict=True))
        ]

    def _compose(
        self, question: Question, person: Person, found: tuple[Indices, Floats], *, fallback: bool
    ) -> Answer:
        status: UserStatus = "fallback" if fallback else person.status
        warnings = list(person.warnings)
        if fallback and person.status != "fallback":
            warnings.append(NO_VECTOR)
        if len(found[0]) < question.k:
            reason = LEFT if question.exclude_seen and len(person.seen) else ALL
            warnings.append(reason.format(len(found[0])))
        items = ranked(self._bundle.items, *found)
        if question.explain and not fallback:
            items = self._explained(items, person, found)
        version = self._bundle.manifest.version
        return Answer(version, status, question.k, items, tuple(warnings), person.unknown_items)

    def _explained(
        self, items: tuple[Ranked, ...], person: Person, found: tuple[Indices, Floats]
    ) -> tuple[Ranked, ...]:
        explained = explain(person, *found, model=self._bundle.model, items=self._bundle.items)
        return tuple(
            replace(item, reasons=reasons, rest=rest) for item, (reasons, rest) in zip(items, explained, strict=True)
        )


def _rows(positions: Sequence[Indices], n_items: int) -> Csr:
    """CSR (n, n_items) that stores a one at each row's `positions`, int32, ascending."""
    indptr = np.cumsum([0, *map(len, positions)]).astype(np.int32)
    return Csr((np.ones(indptr[-1], np.float32), np.concatenate(positions), indptr), shape=(len(positions), n_items))
