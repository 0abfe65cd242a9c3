"""ServedEngine: an engine that tells of every list it gives, and answers together what is asked together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Self, TypeAlias

from api.batching import Batcher
from api.recall import Given, Of, Recall
from recsys.artifacts.bundle import Bundle
from recsys.engine import Answer, Engine, Question
from recsys.engine.filters import filter_parser

Tell: TypeAlias = Callable[[Sequence[Answer]], None]
Offer: TypeAlias = Callable[[Given], None]


class ServedEngine(Engine):
    """Answers as `Engine` does.

    Once they are set, `tell` hears of every answer, and `offer` of every list whose recall can be checked: one that
    came from the model, where the index approximates.
    """

    tell: Tell | None = None
    offer: Offer | None = None

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle)
        self._batcher = Batcher()
        self.recall: Mapping[Of, Recall] = {
            "recommendations": Recall(is_exact=bundle.index.exact is bundle.index),
            "similar": Recall(is_exact=bundle.similar.exact is bundle.similar),
        }

    def warm_up(self) -> None:
        """Ask something: the first real request shall not pay for cold memory, and what lists cost becomes known.

        Nor shall the first filter pay for the parser, which all versions of a process share.
        """
        filter_parser()
        if len(self.user_ids):
            question = Question(user_id=self.user_ids.id_at(0))
            self.ask(question)
            self._batcher.measure(question, self.ask_many)
        if len(self.item_ids):
            self.similar(self.item_ids.id_at(0))

    def with_exact_search(self) -> Self:
        """See `Engine.with_exact_search`; nobody hears of its answers."""
        changed = super().with_exact_search()
        changed.tell = changed.offer = None
        return changed

    async def ask_soon(self, question: Question) -> Answer:
        """What `ask` answers, found in one search with what else is asked on the event loop just now."""
        return await self._batcher.ask(question, self.ask_many)

    def ask_many(self, questions: Sequence[Question]) -> list[Answer]:
        """See `Engine.ask_many`, through which every question about somebody goes."""
        answers = list(self._told(super().ask_many(questions)))
        for question, answer in zip(questions, answers, strict=True):
            self._offer("recommendations", answer, partial(self._ask_exactly, question))
        return answers

    def similar_to(
        self, positive: Sequence[str], negative: Sequence[str] = (), *, k: int = 10, filter: str | None = None
    ) -> Answer:
        """See `Engine.similar_to`, through which every question about items goes."""
        (answer,) = self._told([super().similar_to(positive, negative, k=k, filter=filter)])
        self._offer(
            "similar",
            answer,
            lambda: self.with_exact_search().similar_to(positive, negative, k=k, filter=filter),
        )
        return answer

    def _told(self, answers: Sequence[Answer]) -> Sequence[Answer]:
        if self.tell is not None:
            self.tell(answers)
        return answers

    def _offer(self, of: Of, answer: Answer, again: Callable[[], Answer]) -> None:
        if self.offer is not None and not self.recall[of].is_exact and answer.user_status != "fallback":
            self.offer(Given(of, answer, again, self.recall[of]))

    def _similar_exactly(
        self, positive: Sequence[str], negative: Sequence[str], *, k: int, filter: str | None
    ) -> Answer:
        return self.with_exact_search().similar_to(positive, negative, k=k, filter=filter)

    def _ask_exactly(self, question: Question) -> Answer:
        return self.with_exact_search().ask(replace(question, explain=False))
