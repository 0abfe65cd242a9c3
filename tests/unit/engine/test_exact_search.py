"""What an approximate index misses, the same version finds by comparing every item."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from recsys.artifacts.bundle import Bundle
from recsys.engine import Answer, Engine, Event, Question
from recsys.progress import silent
from recsys.retrieval.approximate_index import ApproximateIndex, SearchParameters, build_approximate
from recsys.retrieval.families.registry import FAMILIES
from recsys.retrieval.flat_index import FlatIndex

FEW, MANY = "id < 'i0400'", "id > 'i0010'"
"""The vectors of the first are gathered and all compared; for the second the index is asked for more."""

ALL_BUT_TEN = tuple(f"i{number:04}" for number in range(10, 3_000))

USERS, ITEMS = [f"u{number:04}" for number in range(1, 100)], [f"i{number:04}" for number in range(1, 10)]

# Few places, and with what was seen: where much must be left out, an approximation compares every item by itself.
LEFT: dict[str, dict[str, Any]] = {"all": {}, "filter": {"filter": MANY}, "include": {"include": ALL_BUT_TEN}}
ASKED: dict[str, Callable[[Engine], list[Answer]]] = {
    **{
        name: lambda engine, left=left: engine.ask_many(
            [Question(user_id=user, k=5, exclude_seen=False, **left) for user in USERS]
        )
        for name, left in LEFT.items()
    },
    "events": lambda engine: [engine.ask(Question(k=5, events=(Event(item),))) for item in ITEMS],
    "similar": lambda engine: [engine.similar(item, k=20) for item in ITEMS],
    "similar, filter": lambda engine: [engine.similar(item, k=20, filter=MANY) for item in ITEMS],
}


def crippled(exact: FlatIndex) -> ApproximateIndex:
    """Six of 256 cells are looked into for a short list, some seventy items: enough for one, not for the right."""
    return build_approximate(FAMILIES["ivf_sq8"], exact, seed=1, progress=silent).with_parameters(
        SearchParameters(12, 1)
    )


@pytest.fixture(scope="module")
def approximate(large: Bundle) -> Bundle:
    return replace(large, index=crippled(large.index.exact), similar=crippled(large.similar.exact))


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED.keys())
def test_lists_are_those_of_an_exact_index(
    approximate: Bundle, large_engine: Engine, asked: Callable[[Engine], list[Answer]]
) -> None:
    engine = Engine(approximate)
    found, exact = asked(engine), asked(engine.with_exact_search())
    assert exact == [replace(answer, model_version=engine.version) for answer in asked(large_engine)]
    assert asked(engine) == found != exact


def test_what_is_compared_anyhow_is_the_same(approximate: Bundle) -> None:
    engine = Engine(approximate)
    question = Question(user_id="u0001", filter=FEW)
    assert engine.ask(question) == engine.with_exact_search().ask(question)
    assert engine.similar("i0007", filter=FEW) == engine.with_exact_search().similar("i0007", filter=FEW)


def test_it_shares_what_was_worked_out(approximate: Bundle) -> None:
    """Masks of a million items, and vectors of those that pass, are kept once."""
    engine = Engine(approximate)
    engine.ask(Question(user_id="u0001", filter=FEW))
    assert engine.with_exact_search().has_compiled(FEW)
    engine.with_exact_search().ask(Question(user_id="u0001", filter=MANY))
    assert engine.has_compiled(MANY)
