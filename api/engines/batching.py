"""Questions that arrive together are answered by one search: 32 cost far less than 32 times one."""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from opentelemetry.trace import Span
from starlette.concurrency import run_in_threadpool

from recsys.engine import Answer, Question
from recsys.tracing import batch_span, current

MAX_BATCH = 32
"""The largest batch."""

EVENT_LOOP_SECONDS = 0.005
"""A batch that is expected to take no longer is answered on the event loop, a longer one in a thread."""

THREAD_SECONDS = 0.02
"""A batch in a thread may take this long, or twice as long as one question alone if that is more."""

MIN_SPEEDUP = 1.25
"""A thread is used if it answers this many times as many questions per second as the event loop would."""

DECAY = 0.9
"""Weight of a measured batch relative to the next one: about the last ten decide."""

MAX_SURPRISE = 2.5
"""A measurement of more than this many times the expected cost is ignored once, as a pause; the next one counts."""

AnswerMany: TypeAlias = Callable[[Sequence[Question]], Sequence[Answer]]
_Waiting: TypeAlias = tuple[Question, "asyncio.Future[Answer]", Span | None]


# Variance of the batch sizes up to which the part per question is taken to be much smaller than it was measured.
_SHRINKAGE = 0.01

# A coarse clock may have seen no time pass. An expectation below this does not predict the next measurement.
_CLOCK_SECONDS = 1e-3


class BatchCost:
    """Seconds of a batch = fixed + n * per_question, by least squares over exponentially decaying measurements.

    As long as all batches had one size, the two parts cannot be separated, and the whole cost counts as fixed: a
    larger batch is then tried, and its measurement separates them. `growth_limit` bounds how much larger: twice the
    largest recent size. Because old measurements decay, larger batches are tried again from time to time.
    """

    def __init__(self) -> None:
        self._weight = self._size = self._seconds = self._size_squared = self._size_by_seconds = 0.0
        self._fixed = self._per_question = 0.0
        self._largest_recent = 0.0
        self._was_surprise = False

    @property
    def is_known(self) -> bool:
        """Whether a batch was measured."""
        return self._weight > 0

    @property
    def growth_limit(self) -> int:
        """The largest size that may be tried after the recent ones."""
        return max(1, math.ceil(2 * self._largest_recent))

    def seconds(self, size: int) -> float:
        """Expected processor seconds of a batch of `size` questions; 0 until something was measured."""
        return self._fixed + size * self._per_question

    def largest_within(self, seconds: float, *, most: int) -> int:
        """The largest size, 0 to `most`, that is expected to take no longer than `seconds`."""
        if self.seconds(most) <= seconds:
            return most
        if self._fixed > seconds:
            return 0
        return int((seconds - self._fixed) / self._per_question)

    def observe(self, size: int, seconds: float) -> None:
        """A batch of `size` questions took `seconds` of processor time."""
        expected = max(self.seconds(size), _CLOCK_SECONDS)
        self._was_surprise = self.is_known and not self._was_surprise and seconds > MAX_SURPRISE * expected
        if not self._was_surprise:
            self._add(size, seconds)

    def _add(self, size: int, seconds: float) -> None:
        self._weight = DECAY * self._weight + 1
        self._size = DECAY * self._size + size
        self._seconds = DECAY * self._seconds + seconds
        self._size_squared = DECAY * self._size_squared + size * size
        self._size_by_seconds = DECAY * self._size_by_seconds + size * seconds
        self._largest_recent = max(float(size), DECAY * self._largest_recent)
        self._fit()

    def _fit(self) -> None:
        size, seconds = self._size / self._weight, self._seconds / self._weight
        variance = max(0.0, self._size_squared / self._weight - size * size)
        covariance = self._size_by_seconds / self._weight - size * seconds
        slope = max(0.0, covariance / (variance + _SHRINKAGE))
        self._per_question = min(slope, seconds / size)  # neither part is negative
        self._fixed = seconds - size * self._per_question


@dataclass(frozen=True)
class Batch:
    """How many questions to answer next, and where."""

    size: int
    in_thread: bool


class Batcher:
    """Collects the questions that are already here and answers them together.

    No question is delayed to wait for others: one that is alone is answered at once if that takes no longer than a
    batch on the event loop may, and otherwise two turns of the event loop later. While a
    batch is answered in a thread, the questions asked meanwhile become the next batch. Use it from one event loop,
    and always with the same `answer_many`, which returns one answer per question, in their order. If it raises, the
    questions are asked one by one, so that only the wrong one is refused. `clock`: seconds of processor time of the
    calling thread.
    """

    def __init__(self, *, clock: Callable[[], float] = time.thread_time) -> None:
        self._waiting: list[_Waiting] = []
        self._answering: asyncio.Task[None] | None = None
        self._clock = clock
        self._cost = BatchCost()

    async def ask(self, question: Question, answer_many: AnswerMany, *, is_alone: bool = False) -> Answer:
        """The answer to `question`. Raises what `answer_many` raises for it alone.

        `is_alone`: whether no other question is known to be on its way.
        """
        if is_alone and self._can_answer_now():
            return self._answer_now(question, answer_many)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((question, answer, current()))
        if self._answering is None or self._answering.done():
            self._answering = loop.create_task(self._answer_waiting(answer_many))
        return await answer

    def _can_answer_now(self) -> bool:
        is_free = not self._waiting and (self._answering is None or self._answering.done())
        return is_free and self._cost.is_known and self._cost.seconds(1) <= EVENT_LOOP_SECONDS

    def _answer_now(self, question: Question, answer_many: AnswerMany) -> Answer:
        span = current()
        with batch_span("answer", [span] if span else [], n_questions=1):
            (result,) = self._timed([question], answer_many)
        if isinstance(result, Exception):
            raise result
        return result

    def measure(self, question: Question, answer_many: AnswerMany) -> None:
        """Answer `question` now, on this thread, to learn what a question costs."""
        self._timed([question], answer_many)

    async def _answer_waiting(self, answer_many: AnswerMany) -> None:
        while self._waiting:
            await self._receive()
            batch = plan_batch(self._cost, len(self._waiting))
            asked, self._waiting = self._waiting[: batch.size], self._waiting[batch.size :]
            questions = [question for question, _, _ in asked]
            with batch_span("answer", [span for _, _, span in asked if span], n_questions=len(asked)):
                if batch.in_thread:
                    results = await run_in_threadpool(self._timed, questions, answer_many)
                else:
                    results = self._timed(questions, answer_many)
            for (_, answer, _), result in zip(asked, results, strict=True):
                _settle(answer, result)
            await asyncio.sleep(0)  # replies are sent, and other requests have their turn

    async def _receive(self) -> None:
        """Read the requests that have already reached the sockets, until a batch is full or no more are there.

        One turn of the event loop reads a request, the next begins to answer it.
        """
        size = 0
        while size < len(self._waiting) < MAX_BATCH:
            size = len(self._waiting)
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    def _timed(self, questions: Sequence[Question], answer_many: AnswerMany) -> list[Answer | Exception]:
        started = self._clock()
        results = _ask(questions, answer_many)
        self._cost.observe(len(questions), self._clock() - started)
        return results


def plan_batch(cost: BatchCost, n_waiting: int) -> Batch:
    """The next batch out of `n_waiting` questions, at least one, at what `cost` expects them to take.

    It stays on the event loop if all of them fit, or if a larger batch in a thread would not be much quicker per
    question.
    """
    if not cost.is_known:  # a thread, because the event loop must not be held for an unknown time
        return Batch(1, in_thread=True)
    most = min(n_waiting, MAX_BATCH, cost.growth_limit)
    on_loop = cost.largest_within(EVENT_LOOP_SECONDS, most=most)
    in_thread = max(1, cost.largest_within(max(THREAD_SECONDS, 2 * cost.seconds(1)), most=most))
    if on_loop and cost.seconds(in_thread) / in_thread * MIN_SPEEDUP > cost.seconds(on_loop) / on_loop:
        return Batch(on_loop, in_thread=False)
    return Batch(in_thread, in_thread=True)


def _ask(questions: Sequence[Question], answer_many: AnswerMany) -> list[Answer | Exception]:
    try:
        return list(answer_many(questions))
    except Exception as error:
        if len(questions) == 1:
            return [error]
        return [result for question in questions for result in _ask([question], answer_many)]


def _settle(answer: "asyncio.Future[Answer]", result: Answer | Exception) -> None:
    if answer.done():  # the client has hung up
        return
    if isinstance(result, Exception):
        answer.set_exception(result)
    else:
        answer.set_result(result)
