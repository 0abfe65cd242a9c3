"""What is answered on the event loop, and what in a thread beside it."""

from collections.abc import Callable
from typing import TypeVar

from starlette.concurrency import run_in_threadpool

from api.served import ServedEngine
from recsys.engine import Answer, Engine, Question

Reply = TypeVar("Reply")

# A question within these takes less time than handing it to another thread and back.
_FEW_ITEMS, _FEW_EVENTS = 100, 100

# Up to so many items are all compared in a millisecond.
_FEW_TO_COMPARE = 200_000


async def answer_soon(engine: ServedEngine, question: Question) -> Answer:
    """The answer to `question`: a light one together with what else is asked just now, another in a thread."""
    if _is_light(question, engine):
        return await engine.ask_soon(question)
    return await run_in_threadpool(engine.ask, question)


async def answer_filtered(engine: Engine, condition: str | None, ask: Callable[[], Reply]) -> Reply:
    """What `ask` returns, called in a thread where the filter `condition` must be compiled, or items are many.

    A search on the event loop is on purpose: up to some 30,000 items it takes 0.3 ms, less than handing it to the
    thread pool and back costs, and `async def` answers 2.6 times as many requests a second.
    """
    if len(engine.item_ids) <= _FEW_TO_COMPARE and (condition is None or engine.has_compiled(condition)):
        return ask()
    return await run_in_threadpool(ask)


def _is_light(question: Question, engine: Engine) -> bool:
    few = question.k <= _FEW_ITEMS and len(question.events) <= _FEW_EVENTS
    compiled = question.filter is None or engine.has_compiled(question.filter)
    return few and compiled and question.include is None
