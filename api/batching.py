"""Questions that arrive together are answered together: one search for all takes half the time of one each."""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from starlette.concurrency import run_in_threadpool

from recsys.engine import Answer, Question

MOST = 32
"""Questions of one batch."""

BATCH_SECONDS = 0.005
"""What a batch may take on the event loop, by what questions took lately: fewer questions are put into one where
each takes longer, and where a single one takes longer than that, batches are answered in a thread."""

AnswerMany: TypeAlias = Callable[[Sequence[Question]], Sequence[Answer]]
_Waiting: TypeAlias = tuple[Question, "asyncio.Future[Answer]"]

# How much the last batch counts in the running mean of what a question takes.
_WEIGHT = 0.1


class Batcher:
    """Collects the questions that are here already, and answers them together.

    Nobody waits for company: a question asked alone is answered two turns of the event loop later. While a batch is
    answered in a thread, what is asked meanwhile becomes the next one. Use it from one event loop, and with the same
    `answer_many`: answers to questions, in their order; where it raises, they are asked one by one, so that one that
    is wrong is refused alone.
    """

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []
        self._answering: asyncio.Task[None] | None = None
        self._seconds = math.inf  # of processor time for one question; until it is known, a thread is the safe place

    async def ask(self, question: Question, answer_many: AnswerMany) -> Answer:
        """The answer to `question`; raises what answering it raises."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((question, answer))
        if self._answering is None or self._answering.done():
            self._answering = loop.create_task(self._answer_waiting(answer_many))
        return await answer

    def learn(self, question: Question, answer_many: AnswerMany) -> None:
        """Answer `question` here and now, to see how long that takes."""
        self._results([question], answer_many)

    async def _answer_waiting(self, answer_many: AnswerMany) -> None:
        while self._waiting:
            await self._let_in()
            size = self._size()
            batch, self._waiting = self._waiting[:size], self._waiting[size:]
            questions = [question for question, _ in batch]
            if self._seconds > BATCH_SECONDS:
                results = await run_in_threadpool(self._results, questions, answer_many)
            else:
                results = self._results(questions, answer_many)
            for (_, answer), result in zip(batch, results, strict=True):
                _settle(answer, result)
            await asyncio.sleep(0)  # replies go out, and other requests have their turn

    async def _let_in(self) -> None:
        """Let in what has arrived at the sockets already, until a batch is full or nothing more is there.

        One turn of the event loop reads a request, the next begins to answer it.
        """
        size = 0
        while size < len(self._waiting) < self._size():
            size = len(self._waiting)
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    def _size(self) -> int:
        """A batch in a thread keeps nobody waiting who is not in it. A coarse clock may have seen no time pass."""
        if self._seconds > BATCH_SECONDS:
            return MOST
        return max(1, int(BATCH_SECONDS / max(self._seconds, BATCH_SECONDS / MOST)))

    def _results(self, questions: Sequence[Question], answer_many: AnswerMany) -> list[Answer | Exception]:
        started = time.thread_time()
        results = _ask(questions, answer_many)
        seconds = (time.thread_time() - started) / len(questions)
        self._seconds = seconds if math.isinf(self._seconds) else self._seconds + _WEIGHT * (seconds - self._seconds)
        return results


def _ask(questions: Sequence[Question], answer_many: AnswerMany) -> list[Answer | Exception]:
    try:
        return list(answer_many(questions))
    except Exception as error:
        if len(questions) == 1:
            return [error]
        return [result for question in questions for result in _ask([question], answer_many)]


def _settle(answer: "asyncio.Future[Answer]", result: Answer | Exception) -> None:
    if answer.done():  # whoever asked has hung up
        return
    if isinstance(result, Exception):
        answer.set_exception(result)
    else:
        answer.set_result(result)
