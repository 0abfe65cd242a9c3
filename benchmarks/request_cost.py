"""What the dearest requests that are allowed cost: processor seconds, and how long they hold the event loop.

    python benchmarks/request_cost.py --store runs/demo/store
    python benchmarks/request_cost.py --items 27000        # a store of synthetic vectors

Each request is sent to the application in this process, `--repeat` times. `points` is what it asks for (docs/api.md),
`cpu` the least processor seconds that it took, `loop` the least of the longest times that nothing else on the event
loop had its turn. Requests just beyond the budget are refused, and listed with what that costs.
"""

import argparse
import asyncio
import json
import logging
import sys
import tempfile
import time
import timeit
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import served_store
import threadpoolctl

from api.app import create_app
from api.messages.body import Body
from api.messages.page_bodies import PageBody
from api.messages.points import points_of
from api.messages.question_bodies import BatchBody, QuestionBody, RankBody
from api.messages.reading import body_in
from api.settings import Settings
from recsys.artifacts.registry import Registry
from recsys.errors import InvalidRequestError

Json = dict[str, Any]


@dataclass
class Shop:
    """Ids and a column of texts of the version that serves."""

    users: list[str]
    items: list[str]
    text: str

    @classmethod
    def of(cls, store: Path) -> "Shop":
        """Of a store."""
        bundle = Registry(store).load()
        texts = [field.name for field in bundle.items.table.schema if str(field.type) == "string"]
        return cls(bundle.users.ids.to_pylist()[:2000], bundle.items.ids.ids.to_pylist(), texts[0])

    def user(self, at: int) -> str:
        """One of the users."""
        return self.users[at % len(self.users)]

    def events(self, n: int, first: int = 0) -> list[Json]:
        """Events of `n` items, again and again if there are fewer."""
        return [{"item_id": self.items[(first + 7 * at) % len(self.items)]} for at in range(n)]

    def contains(self, n: int, mark: str = "") -> str:
        """A filter of `n` conditions that look into texts."""
        return " or ".join(f'{self.text} contains "{mark}z{at}"' for at in range(n))


def requests(shop: Shop, turn: int) -> dict[str, tuple[str, Callable[[], Json | bytes]]]:
    """Path and body of each request; filters are others in each `turn`, so that none is compiled already."""
    batch, one, page = "/v1/recommendations:batch", "/v1/recommendations", "/v1/pages"

    def of_batch(n: int, **fields: Any) -> Json:
        return {"requests": [{"user_id": shop.user(at), **fields} for at in range(n)]}

    def each_own_filter(n: int, conditions: int) -> Json:
        return {"requests": [{"k": 1, "filter": shop.contains(conditions, f"{turn}-{at}-")} for at in range(n)]}

    rows = [{"kind": "because", "k": 100}] * 20
    return {
        "one list": (one, lambda: {"user_id": shop.user(0), "k": 10}),
        "batch of 1,000": (batch, lambda: of_batch(1000, k=20)),
        "batch of 1,000, one filter of 32 contains": (
            batch,
            lambda: of_batch(1000, k=10, filter=shop.contains(32, f"{turn}-")),
        ),
        "batch of 1,000, own filters of 32 contains": (batch, lambda: each_own_filter(1000, 32)),
        "batch of 20, own filters of 32 contains": (batch, lambda: each_own_filter(20, 32)),
        "batch of 350, explained, k 20": (batch, lambda: of_batch(350, k=20, explain=True)),
        "batch of 1,000, explained, k 20": (batch, lambda: of_batch(1000, k=20, explain=True)),
        "batch of 8, k 1,000, diversity": (batch, lambda: of_batch(8, k=1000, diversity=0.5)),
        "10,000 events, k 1,000": (one, lambda: {"events": shop.events(10_000), "k": 1000}),
        "5,000 events, k 1,000, explained": (one, lambda: {"events": shop.events(5000), "k": 1000, "explain": True}),
        "20 lists of 1,000 events": (
            batch,
            lambda: {"requests": [{"events": shop.events(1000, at)} for at in range(20)]},
        ),
        "page of 20 rows, because": (page, lambda: {"user_id": shop.user(0), "rows": rows}),
        "rank 10,000": ("/v1/rank", lambda: {"user_id": shop.user(0), "item_ids": (shop.items * 20)[:10_000]}),
        "7,000 events of 28 unknown keys": (
            one,
            lambda: {"events": [{f"k{key}": 1 for key in range(28)} for _ in range(7000)]},
        ),
        "190,000 numbers for ids": ("/v1/rank", lambda: {"item_ids": [1] * 190_000}),
        "30,000 empty objects": (one, lambda: b'{"events": [' + b"{}," * 29_000 + b"{}]}"),
        "2 MiB of one text": (one, lambda: {"user_id": "a" * 2_000_000}),
    }


async def longest_hold(stop: asyncio.Event) -> float:
    """The longest time that this coroutine waited for its turn."""
    longest, last = 0.0, time.perf_counter()
    while not stop.is_set():
        await asyncio.sleep(0)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
        await asyncio.sleep(0.001)
        now = time.perf_counter()
        longest, last = max(longest, now - last - 0.001), now
    return longest


async def measure(client: httpx.AsyncClient, path: str, body: bytes) -> tuple[int, float, float]:
    """Status, processor seconds, longest hold of the event loop."""
    stop = asyncio.Event()
    ticking = asyncio.create_task(longest_hold(stop))
    await asyncio.sleep(0.01)
    started = time.process_time()
    reply = await client.post(path, content=body)
    seconds = time.process_time() - started
    stop.set()
    return reply.status_code, seconds, await ticking


MODELS: dict[str, type[Body]] = {
    "/v1/recommendations": QuestionBody,
    "/v1/recommendations:batch": BatchBody,
    "/v1/pages": PageBody,
    "/v1/rank": RankBody,
}


def points(path: str, body: bytes, n_items: int) -> int:
    """What a body asks for; 0 if it is none."""
    try:
        return points_of(body_in(body, MODELS[path]), n_items=n_items)
    except InvalidRequestError:
        return 0


def compare_reading() -> None:
    """Microseconds to read a body, by the service and by pydantic alone, which takes keys twice."""
    print(f"\n{'body':30s} {'bytes':>6s} {'service us':>11s} {'pydantic us':>12s} {'ratio':>6s}")
    for name, body in {
        "a list with a filter": {"user_id": "u1", "k": 10, "filter": "price < 20"},
        "a visitor with 20 events": {
            "events": [{"item_id": f"i{at}", "event": "view", "value": 2.0} for at in range(20)]
        },
    }.items():
        raw = json.dumps(body, separators=(",", ":")).encode()
        ours = microseconds(lambda raw=raw: body_in(raw, QuestionBody))
        alone = microseconds(lambda raw=raw: QuestionBody.model_validate_json(raw))
        print(f"{name:30s} {len(raw):6d} {ours:11.1f} {alone:12.1f} {ours / alone:6.2f}")


def microseconds(call: Callable[[], object], n: int = 1000, rounds: int = 20) -> float:
    """The least processor time of a call."""
    return min(timeit.repeat(call, timer=time.process_time, number=n, repeat=rounds)) / n * 1e6


async def run(store: Path, repeat: int) -> None:
    """Measure every request on one store."""
    app = create_app(Settings(store=str(store), log_level="error"))
    shop = Shop.of(store)
    print(f"\n{served_store.description(store)}")
    print(
        f"{'request':45s} {'KiB':>7s} {'status':>6s} {'points':>9s} {'cpu ms':>8s} {'loop ms':>8s} {'us/point':>8s}"
    )
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here", timeout=120) as client:
            for name in requests(shop, 0):
                found = []
                for turn in range(repeat):
                    path, make = requests(shop, turn)[name]
                    made = make()
                    body = made if isinstance(made, bytes) else json.dumps(made, separators=(",", ":")).encode()
                    found.append(await measure(client, path, body))
                status, cpu, loop = found[0][0], min(it[1] for it in found), min(it[2] for it in found)
                asked = points(path, body, len(shop.items))
                rate = f"{cpu / asked * 1e6:8.2f}" if asked and status == 200 else " " * 8
                size = len(body) / 1024
                row = f"{name:45s} {size:7.0f} {status:6d} {asked:9,d} {cpu * 1e3:8.1f} {loop * 1e3:8.1f} {rate}"
                print(row, flush=True)


def main() -> None:
    """Measure a store that is given, or one that is made."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, help="a store, as of `recsys demo`")
    parser.add_argument("--items", type=int, default=27_000, help="items of the synthetic store, without --store")
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    logging.disable(logging.ERROR)
    threadpoolctl.threadpool_limits(1)  # as `recsys serve` does
    compare_reading()
    if given.store is not None:
        asyncio.run(run(given.store, given.repeat))
        return
    with tempfile.TemporaryDirectory() as folder:
        served_store.publish(Path(folder), 20_000, n_items=given.items, factors=64)
        asyncio.run(run(Path(folder), given.repeat))


if __name__ == "__main__":
    sys.exit(main())
