"""What arrives together is answered together, nobody waits for company, and one that is wrong is refused alone."""

import asyncio
import threading
import time

import pytest

from api.batching import BATCH_SECONDS, MOST, Batcher
from recsys.engine import Answer, Question
from recsys.errors import InvalidRequestError


class Engine:
    """Answers with the k of the question, and keeps who was asked what with whom."""

    def __init__(self, processor_seconds=0.0):
        self.batches, self.threads, self.seconds = [], [], processor_seconds

    def ask_many(self, questions):
        self.batches.append([question.k for question in questions])
        self.threads.append(threading.current_thread())
        until = time.thread_time() + self.seconds * len(questions)
        while time.thread_time() < until:
            pass
        for question in questions:
            question.check()
        return [Answer(model_version="v0", requested=question.k, items=()) for question in questions]


class Learned(Batcher):
    """Knows what a question of `engine` takes."""

    def __init__(self, engine):
        super().__init__()
        self.engine = engine
        self.learn(Question(k=1), engine.ask_many)


@pytest.fixture
def engine():
    return Engine()


@pytest.fixture
def batcher(engine):
    batcher = Learned(engine)
    engine.batches.clear()
    engine.threads.clear()
    return batcher


def ask_together(batcher, *ks):
    async def ask():
        asked = (batcher.ask(Question(k=k), batcher.engine.ask_many) for k in ks)
        return await asyncio.gather(*asked, return_exceptions=True)

    return asyncio.run(ask())


def test_a_question_asked_alone_is_answered_after_a_few_turns_of_the_event_loop(batcher, engine):
    async def ask():
        asked = asyncio.create_task(batcher.ask(Question(k=3), engine.ask_many))
        for _ in range(5):
            await asyncio.sleep(0)
        return asked.done()

    assert asyncio.run(ask())
    assert engine.batches == [[3]]


def test_questions_asked_together_are_answered_at_once_each_with_its_own_answer(batcher, engine):
    assert [answer.requested for answer in ask_together(batcher, 5, 3, 4)] == [5, 3, 4]
    assert engine.batches == [[5, 3, 4]]


def test_a_batch_is_bounded(batcher, engine):
    ks = list(range(1, 2 * MOST + 4))
    assert [answer.requested for answer in ask_together(batcher, *ks)] == ks
    assert max(map(len, engine.batches)) <= MOST
    assert [k for batch in engine.batches for k in batch] == ks


def test_who_asks_what_is_wrong_is_refused_alone(batcher):
    one, wrong, other = ask_together(batcher, 5, 0, 4)
    assert (one.requested, other.requested) == (5, 4)
    assert isinstance(wrong, InvalidRequestError)


def test_it_goes_on_after_an_error(batcher):
    ask_together(batcher, 0)
    assert ask_together(batcher, 2)[0].requested == 2


def test_quick_questions_are_answered_on_the_event_loop(batcher, engine):
    ask_together(batcher, 1, 2)
    assert engine.threads == [threading.current_thread()]


def test_slow_questions_are_answered_in_a_thread_and_the_event_loop_goes_on():
    engine = Engine(processor_seconds=2 * BATCH_SECONDS)
    batcher = Learned(engine)
    assert [answer.requested for answer in ask_together(batcher, 5, 3)] == [5, 3]
    assert threading.current_thread() not in engine.threads[1:]


def test_until_it_is_known_what_a_question_takes_a_thread_is_used(engine):
    asyncio.run(Batcher().ask(Question(k=5), engine.ask_many))
    assert threading.current_thread() not in engine.threads


def test_what_is_asked_while_a_thread_answers_becomes_one_batch():
    engine = Engine(processor_seconds=2 * BATCH_SECONDS)
    batcher = Learned(engine)

    async def ask():
        first = asyncio.create_task(batcher.ask(Question(k=1), engine.ask_many))
        while len(engine.batches) < 2:
            await asyncio.sleep(0)
        await asyncio.gather(first, *(batcher.ask(Question(k=k), engine.ask_many) for k in (2, 3, 4)))

    asyncio.run(ask())
    assert engine.batches[1:] == [[1], [2, 3, 4]]


def test_who_hangs_up_keeps_nobody_else_from_an_answer(batcher, engine):
    async def ask():
        gone = asyncio.create_task(batcher.ask(Question(k=5), engine.ask_many))
        stays = asyncio.create_task(batcher.ask(Question(k=3), engine.ask_many))
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
    engine = Engine(processor_seconds=0.9 * BATCH_SECONDS)  # one a batch, on the event loop
    batcher = Learned(engine)
    turns = []

    async def ask():
        asked = [asyncio.create_task(batcher.ask(Question(k=1), engine.ask_many)) for _ in range(4)]
        while not all(task.done() for task in asked):
            turns.append(len(engine.batches))
            await asyncio.sleep(0)

    asyncio.run(ask())
    assert {2, 3, 4} <= set(turns)
