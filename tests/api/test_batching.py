"""What arrives together is answered together without added delay, and a wrong question is refused alone.

No clock of the machine decides here: the stand-in for an engine advances its own by a known cost per batch.
"""

import asyncio
import threading

import pytest

from api.engines.batching import EVENT_LOOP_SECONDS, MAX_BATCH, THREAD_SECONDS, BatchCost, Batcher, plan_batch
from recsys.engine import Answer, Question
from recsys.errors import InvalidRequestError


class Engine:
    """Answers with the k of the question; a batch of n takes `fixed + n * each` seconds of its clock."""

    def __init__(self, *, fixed=0.0, each=0.0):
        self.fixed, self.each, self.now = fixed, each, 0.0
        self.batches, self.threads = [], []
        self.batcher = Batcher(clock=lambda: self.now)

    def ask_many(self, questions):
        self.batches.append([question.k for question in questions])
        self.threads.append(threading.current_thread())
        self.now += self.fixed + self.each * len(questions)
        for question in questions:
            question.check()
        return [Answer(model_version="v0", requested=question.k, items=()) for question in questions]

    def forget(self):
        self.batches.clear()
        self.threads.clear()

    def ask_together(self, *ks):
        async def ask():
            return await asyncio.gather(*map(self.ask, ks), return_exceptions=True)

        return asyncio.run(ask())

    async def ask(self, k):
        return await self.batcher.ask(Question(k=k), self.ask_many)

    def sizes(self):
        return [len(batch) for batch in self.batches]


@pytest.fixture
def engine():
    """One that is known to be quick, at any size of a batch."""
    engine = Engine(fixed=1e-4)
    engine.ask_together(*range(1, 200))
    engine.forget()
    return engine


def test_a_question_asked_alone_is_answered_after_a_few_turns_of_the_event_loop(engine):
    async def ask():
        asked = asyncio.create_task(engine.ask(3))
        for _ in range(5):
            await asyncio.sleep(0)
        return asked.done()

    assert asyncio.run(ask())
    assert engine.batches == [[3]]


def test_one_that_is_alone_is_answered_on_the_spot(engine):
    async def ask():
        return await engine.batcher.ask(Question(k=3), engine.ask_many, is_alone=True), asyncio.all_tasks()

    answer, tasks = asyncio.run(ask())
    assert (answer.requested, engine.batches, len(tasks)) == (3, [[3]], 1)
    assert engine.threads == [threading.current_thread()]


def test_one_that_is_alone_waits_if_others_do(engine):
    async def ask():
        first = asyncio.create_task(engine.ask(5))
        await asyncio.sleep(0)
        return await engine.batcher.ask(Question(k=3), engine.ask_many, is_alone=True), await first

    assert [answer.requested for answer in asyncio.run(ask())] == [3, 5]
    assert engine.batches == [[5, 3]]


def test_one_that_is_alone_does_not_hold_the_event_loop_for_longer_than_a_batch_may():
    for engine in (Engine(), Engine(fixed=2 * EVENT_LOOP_SECONDS)):
        engine.ask_together(1) if engine.fixed else None
        engine.forget()
        asyncio.run(engine.batcher.ask(Question(k=3), engine.ask_many, is_alone=True))
        assert threading.current_thread() not in engine.threads


def test_one_that_is_alone_is_refused_as_in_a_batch(engine):
    with pytest.raises(InvalidRequestError):
        asyncio.run(engine.batcher.ask(Question(diversity=7.0), engine.ask_many, is_alone=True))


def test_questions_asked_together_are_answered_at_once_each_with_its_own_answer(engine):
    assert [answer.requested for answer in engine.ask_together(5, 3, 4)] == [5, 3, 4]
    assert engine.batches == [[5, 3, 4]]


def test_a_batch_is_bounded(engine):
    ks = list(range(1, 2 * MAX_BATCH + 4))
    assert [answer.requested for answer in engine.ask_together(*ks)] == ks
    assert engine.sizes() == [MAX_BATCH, MAX_BATCH, 3]
    assert [k for batch in engine.batches for k in batch] == ks


def test_a_wrong_question_is_refused_alone(engine):
    one, wrong, other = engine.ask_together(5, 0, 4)
    assert (one.requested, other.requested) == (5, 4)
    assert isinstance(wrong, InvalidRequestError)


def test_it_goes_on_after_an_error(engine):
    engine.ask_together(0)
    assert engine.ask_together(2)[0].requested == 2


def test_quick_questions_are_answered_on_the_event_loop(engine):
    engine.ask_together(1, 2)
    assert engine.threads == [threading.current_thread()]


def test_slow_questions_are_answered_in_a_thread():
    engine = Engine(each=2 * EVENT_LOOP_SECONDS)
    assert [answer.requested for answer in engine.ask_together(5, 3)] == [5, 3]
    assert threading.current_thread() not in engine.threads


def test_until_it_is_known_what_a_question_takes_a_thread_is_used():
    engine = Engine()
    engine.ask_together(5)
    assert threading.current_thread() not in engine.threads


def test_what_is_asked_while_a_thread_answers_becomes_one_batch():
    engine = Engine(fixed=2 * EVENT_LOOP_SECONDS)
    engine.ask_together(*range(1, 20))
    engine.forget()
    go_on, answer = threading.Event(), engine.ask_many

    def wait_and_answer(questions):
        assert go_on.wait(30)
        return answer(questions)

    async def ask():
        first = asyncio.create_task(engine.batcher.ask(Question(k=1), wait_and_answer))
        await asyncio.sleep(0.01)  # it is in its thread, or about to be
        others = [asyncio.create_task(engine.ask(k)) for k in (2, 3, 4)]
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(first, *others)

    asyncio.run(ask())
    assert engine.batches == [[1], [2, 3, 4]]


def test_a_client_that_hangs_up_keeps_no_other_from_an_answer(engine):
    async def ask():
        gone = asyncio.create_task(engine.ask(5))
        stays = asyncio.create_task(engine.ask(3))
        await asyncio.sleep(0)
        gone.cancel()
        return await stays

    assert asyncio.run(ask()).requested == 3


def test_lists_asked_for_together_are_those_asked_for_one_by_one(service):
    users = ["ada", "bob", "nobody", "eve", "u%2Fv", "cem"]
    paths = [f"/v1/users/{user}/recommendations?k={k}" for user in users for k in (1, 2, 0)]
    together = service.get_together(paths)
    alone = [service.get(path) for path in paths]
    assert [reply.status_code for reply in together] == [200, 200, 422] * len(users)
    for one, other in zip(together, alone, strict=True):
        if one.status_code == 200:
            assert [item["item_id"] for item in one.json()["items"]] == [
                item["item_id"] for item in other.json()["items"]
            ]
            scores = [[item["score"] for item in reply.json()["items"]] for reply in (one, other)]
            assert scores[0] == pytest.approx(scores[1], abs=1e-6)
            assert one.json()["user"] == other.json()["user"]


def test_between_batches_others_have_their_turn():
    engine = Engine(each=0.9 * EVENT_LOOP_SECONDS)
    engine.ask_together(*range(1, 20))
    engine.forget()
    turns = []

    async def ask():
        asked = [asyncio.create_task(engine.ask(1)) for _ in range(4)]
        while not all(task.done() for task in asked):
            turns.append(len(engine.batches))
            await asyncio.sleep(0)

    asyncio.run(ask())
    assert engine.sizes() == [1, 1, 1, 1]
    assert {2, 3, 4} <= set(turns)


# What batches cost: seconds, fixed and per question. A matrix of 20 MB is read once for a batch, however large.
LARGE_MATRIX = (0.0023, 0.00032)
EXPENSIVE = (0.0, 0.03)


def sizes_under_load(fixed, each, *, start=(), batches=150):
    """Sizes of the batches if 32 questions are always waiting; `start`: what single questions took before."""
    cost, sizes = BatchCost(), []
    for seconds in start:
        cost.observe(1, seconds)
    for _ in range(batches):
        size = plan_batch(cost, MAX_BATCH).size
        cost.observe(size, fixed + each * size)
        sizes.append(size)
    return sizes


@pytest.mark.parametrize(
    "start", [[], [0.0026] * 50, [0.1] * 5, [0.0] * 20], ids=["none", "always one", "cold", "clock stands"]
)
def test_from_any_start_a_batch_whose_cost_is_mostly_fixed_becomes_as_large_as_can_be(start):
    assert sizes_under_load(*LARGE_MATRIX, start=start)[-20:] == [MAX_BATCH] * 20


@pytest.mark.parametrize("start", [[], [0.03] * 50, [0.5] * 5, [0.0] * 20], ids=["none", "one", "cold", "clock"])
def test_questions_that_are_expensive_each_stay_in_small_batches(start):
    assert max(sizes_under_load(*EXPENSIVE, start=start)[-50:]) <= 4


def test_one_long_pause_does_not_make_batches_small_for_long():
    cost, (fixed, each) = BatchCost(), LARGE_MATRIX
    for size in (1, 2, 4, 8, 16, 32, 32, 32):
        cost.observe(size, fixed + each * size)
    cost.observe(MAX_BATCH, 1.0)
    sizes = []
    for _ in range(20):
        sizes.append(plan_batch(cost, MAX_BATCH).size)
        cost.observe(sizes[-1], fixed + each * sizes[-1])
    assert sizes[-1] == MAX_BATCH


def test_the_fit_tells_the_fixed_part_from_the_part_per_question():
    cost, (fixed, each) = BatchCost(), LARGE_MATRIX
    for size in (1, 8, 32, 4, 16) * 4:
        cost.observe(size, fixed + each * size)
    assert cost.seconds(0) == pytest.approx(fixed, rel=1e-2)
    assert cost.seconds(20) == pytest.approx(fixed + 20 * each, rel=1e-2)
    assert cost.largest_within(0.006, most=32) == 11
    assert cost.largest_within(0.002, most=32) == 0


def test_an_old_cost_is_forgotten():
    cost = BatchCost()
    for seconds in [0.1] * 100 + [0.001] * 100:
        cost.observe(1, seconds)
    assert cost.seconds(1) == pytest.approx(0.001, rel=1e-2)


def test_a_thread_is_used_only_if_it_is_quicker():
    """Without a fixed part a larger batch brings nothing, so the event loop takes what fits into its time."""
    cost = BatchCost()
    for size in (1, 5, 10, 20) * 5:
        cost.observe(size, 0.0005 * size)
    batch = plan_batch(cost, MAX_BATCH)
    assert not batch.in_thread
    assert cost.seconds(batch.size) <= EVENT_LOOP_SECONDS
    cost = BatchCost()
    for size in (1, 8, 16, 32) * 5:
        cost.observe(size, LARGE_MATRIX[0] + LARGE_MATRIX[1] * size)
    batch = plan_batch(cost, MAX_BATCH)
    assert (batch.size, batch.in_thread) == (MAX_BATCH, True)
    assert EVENT_LOOP_SECONDS < cost.seconds(MAX_BATCH) <= THREAD_SECONDS
