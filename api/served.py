"""ServedEngine: an engine that tells of every list it gives."""

from collections.abc import Callable, Sequence

from recsys.engine import Answer, Engine, Question

Tell = Callable[[Sequence[Answer]], None]


class ServedEngine(Engine):
    """Answers as `Engine` does; `tell` hears of every answer, once it is set."""

    tell: Tell | None = None

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
