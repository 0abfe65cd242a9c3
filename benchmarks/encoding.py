"""A list of ten as JSON: what the service writes, beside other encoders of the same reply.

    pip install --target FOLDER orjson msgspec; PYTHONPATH=FOLDER:. python benchmarks/encoding.py

Microseconds of a processor per reply, the least of many short periods in turns. All give the same bytes, which is
checked. The others get a tree of dicts, or msgspec's own classes, which has to be made of the answer first; none of
them refuses NaN as the service does.
"""

import json
import time
import timeit
from collections.abc import Callable
from dataclasses import replace

import msgspec
import orjson

from api.messages.reply import json_response
from api.messages.user_replies import Recommendations
from recsys.engine import Answer, Ranked

CALLS, ROUNDS = 20, 300  # short periods, of which some are undisturbed on a busy machine


class Item(msgspec.Struct, omit_defaults=True):
    """One place, as msgspec writes it."""

    item_id: str
    score: float
    rank: int
    title: str | None = None


class User(msgspec.Struct):
    """The user, as msgspec writes it."""

    id: str | None
    status: str


class List(msgspec.Struct):
    """A list, as msgspec writes it."""

    model_version: str
    recommendation_id: str
    user: User
    items: list[Item]
    requested: int
    returned: int
    warnings: tuple[str, ...]


def answer_of(n_items: int) -> Answer:
    """A list such as a shop's."""
    items = (
        Ranked(f"b{at:07d}", 1.312761068344116 - at / 7, at + 1, f"The book of number {at}") for at in range(n_items)
    )
    bare = Answer(
        model_version="v0123456789abcdef",
        user_id="u0000001",
        user_status="known",
        requested=n_items,
        items=tuple(items),
    )
    return replace(bare, recommendation_id="A" * 36)


def tree(answer: Answer) -> dict[str, object]:
    """The reply as dicts."""
    return {
        "model_version": answer.model_version,
        "recommendation_id": answer.recommendation_id,
        "user": {"id": answer.user_id, "status": answer.user_status},
        "items": [
            {"item_id": it.item_id, "score": it.score, "rank": it.rank, "title": it.title} for it in answer.items
        ],
        "requested": answer.requested,
        "returned": len(answer.items),
        "warnings": answer.warnings,
    }


def struct(answer: Answer) -> List:
    """The reply as msgspec's classes."""
    return List(
        answer.model_version,
        answer.recommendation_id,
        User(answer.user_id, answer.user_status),
        [Item(it.item_id, it.score, it.rank, it.title) for it in answer.items],
        answer.requested,
        len(answer.items),
        answer.warnings,
    )


def encoders(answer: Answer) -> dict[str, Callable[[], bytes]]:
    """Each way to write `answer`."""
    encode = msgspec.json.Encoder().encode
    return {
        "the service: pydantic, checked": lambda: bytes(json_response(Recommendations.of(answer)).body),
        "json of the standard library": lambda: json.dumps(tree(answer), separators=(",", ":")).encode(),
        "orjson": lambda: orjson.dumps(tree(answer)),
        "msgspec, dicts": lambda: encode(tree(answer)),
        "msgspec, its own classes": lambda: encode(struct(answer)),
    }


def main() -> None:
    """Compare them at three lengths, and print the table."""
    print("| encoder | k = 10, us | k = 50, us | k = 500, us |")
    print("| :-- | --: | --: | --: |")
    columns = []
    for n_items in (10, 50, 500):
        ways = encoders(answer_of(n_items))
        assert len({way() for way in ways.values()}) == 1, "the encoders differ"
        calls = max(1, CALLS * 10 // n_items)
        rounds = [
            {name: timeit.timeit(way, time.process_time, number=calls) for name, way in ways.items()}
            for _ in range(ROUNDS)
        ]
        columns.append({name: min(each[name] for each in rounds) / calls * 1e6 for name in ways})
    for name in columns[0]:
        print(f"| {name} | " + " | ".join(f"{column[name]:.1f}" for column in columns) + " |")


if __name__ == "__main__":
    main()
