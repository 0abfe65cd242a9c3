"""ServedEngine: an engine that tells of every list it gives, and answers together what is asked together."""

from collections.abc import Callable, Sequence

from api.batching import Batcher
from recsys.artifacts.bundle import Bundle
from recsys.engine import Answer, Engine, Question
from recsys.engine.filters import filter_parser

Tell = Callable[[Sequence[Answer]], None]


class ServedEngine(Engine):
    """Answers as `Engine` does; `tell` hears of every answer, once it is set."""

    tell: Tell | None = None

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle)
        self._batcher = Batcher()

    def warm_up(self) -> None:
        """Ask something: the first real request shall not pay for cold memory, and what lists cost becomes known.

        Nor shall the first filter pay for the parser, which all versions of a process share.
        """
        filter_parser()
        if len(self.user_ids):
            question = Question(user_id=self.user_ids.id_at(0))
            self.ask(question)
            self._batcher.learn(question, self.ask_many)
        if len(self.item_ids):
            self.similar(self.item_ids.id_at(0))

    async def ask_soon(self, question: Question) -> Answer:
        """What `ask` answers, found in one search with what else is asked on the event loop just now."""
        return await self._batcher.ask(question, self.ask_many)

    def ask_many(self, questions: Sequence[Question]) -> list[Answer]:
        """See `Engine.ask_many`, through which every question about somebody goes."""
        return list(self._told(super().ask_many(questions)))

    def similar_to(
        self, positive: Sequence[str], negative: Sequence[str] = (), *, k: int = 10, filter: str | None = None
    ) -> Answer:
        """See `Engine.similar_to`, through which every question about items goes."""
        return self._told([super().similar_to(positive, negative, k=k, filter=filter)])[0]

    def _told(self, answers: Sequence[Answer]) -> Sequence[Answer]:
        if self.tell is not None:
            self.tell(answers)
        return answers
