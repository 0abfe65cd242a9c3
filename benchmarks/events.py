"""What the event store takes, what it costs a list, and how soon a click counts.

    python benchmarks/events.py --seconds 3 --rounds 3

Three measurements with SQLite: acknowledged events per second, two workers, batches of 100; lists per second of one
worker on its own core, with the event store (every list kept as an impression), with fresh events of every tenth
user, and without, in turns; milliseconds from the acknowledgement of a click until every one of 16 connections to two
workers lists it. Under 90 s in all.
"""

import argparse
import asyncio
import json
import time
import uuid
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import load
import numpy as np
from served import service
from served_store import publish, user_id

N_USERS, N_ITEMS, FACTORS = 20_000, 20_000, 64
BATCH = 100
CASES = ("without", "event store", "event store, fresh events of a tenth")


def batches(n: int) -> list[bytes]:
    """Bodies of BATCH events each, no two alike."""
    rng = np.random.default_rng(0)
    return [_body(users) for users in rng.integers(0, N_USERS, (n, BATCH))]


def _body(users: np.ndarray) -> bytes:
    events = [
        {"event_id": uuid.uuid4().hex, "user_id": user_id(user), "item_id": f"b{user % N_ITEMS:07d}"}
        for user in users
    ]
    return json.dumps({"events": events}).encode()


async def _fill(port: int, bodies: list[bytes], seconds: float) -> float:
    connections = await load.connect(port, 16)
    wanted, n_acknowledged = iter(bodies), 0
    started = time.perf_counter()

    async def keep_sending(connection: load.Connection) -> None:
        nonlocal n_acknowledged
        while time.perf_counter() < started + seconds and (body := next(wanted, None)) is not None:
            reply = await connection.post("/v1/events", body)
            if not reply.is_ok or json.loads(reply.body)["accepted"] != BATCH:
                raise RuntimeError(f"a batch was not acknowledged: {reply}")
            n_acknowledged += BATCH

    await asyncio.gather(*map(keep_sending, connections))
    return n_acknowledged / (time.perf_counter() - started)


async def _clicks(port: int, n: int) -> list[float]:
    """Milliseconds of `n` clicks until every connection lists them."""
    sender, *connections = await load.connect(port, 17)
    found = []
    for at in range(n):
        await asyncio.sleep(0.05)
        who = f"visitor-{at}"
        body = json.dumps({"events": [{"user_id": who, "item_id": f"b{at:07d}"}]}).encode()
        if not (await sender.post("/v1/events", body)).is_ok:
            raise RuntimeError("a click was not acknowledged")
        acknowledged = time.perf_counter()
        await asyncio.gather(*(_listed(connection, who) for connection in connections))
        found.append(1e3 * (time.perf_counter() - acknowledged))
    return found


async def _listed(connection: load.Connection, who: str) -> None:
    path = f"/v1/users/{who}/recommendations"
    while b'"fresh_events":1' not in (await connection.ask(path)).body:
        await asyncio.sleep(0.002)


def fill(port: int, n: int, seconds: float) -> float:
    """Acknowledged events per second."""
    return asyncio.run(_fill(port, batches(n), seconds))


def clicks(port: int, n: int) -> list[float]:
    """See `_clicks`."""
    return asyncio.run(_clicks(port, n))


def _two_workers(store: Path, folder: Path, client: ProcessPoolExecutor, options: argparse.Namespace) -> None:
    rates: list[float] = []
    events = ("--events", str(folder / "two.db"), "--workers", "2", "--log-level", "info")
    with service(store, *events, core=None) as running:
        running.wait_for("serving version", count=2)
        delays = client.submit(clicks, running.port, 60).result()
        for _ in range(options.rounds):
            rates.append(client.submit(fill, running.port, 3_000, options.seconds).result())
    rounds = ", ".join(f"{rate:,.0f}" for rate in rates)
    print(f"acknowledged events per second, two workers, batches of {BATCH}: {median(rates):,.0f} ({rounds})")
    p50, p90, most = np.percentile(delays, [50, 90, 100])
    print(f"from an acknowledged click to every list, ms: median {p50:.0f}, p90 {p90:.0f}, most {most:.0f}")


def _lists(store: Path, folder: Path, client: ProcessPoolExecutor, options: argparse.Namespace) -> None:
    rng = np.random.default_rng(0)
    found: dict[str, list[float]] = {case: [] for case in CASES}
    for turn in range(options.rounds):
        for case in CASES:
            place = folder / f"{CASES.index(case)}-{turn}.db"
            events = () if case == "without" else ("--events", str(place))
            paths = [f"/v1/users/{user_id(at)}/recommendations" for at in rng.integers(0, N_USERS, 100_000)]
            with service(store, "--log-level", "info", *events) as running:
                running.wait_for("serving version")
                if case == CASES[2]:
                    client.submit(fill, running.port, N_USERS // 10 // BATCH, 60.0).result()
                client.submit(load.saturate, running.port, paths[:1_000], 0.5, n_connections=16).result()
                spell = client.submit(load.saturate, running.port, paths, options.seconds, n_connections=16).result()
            if spell.n_failed:
                raise SystemExit(f"{case}: {spell.n_failed} requests failed")
            found[case].append(spell.rate)
    print("| service | lists/s | of without |\n| :-- | --: | --: |")
    for case, rates in found.items():
        print(f"| {case} | {median(rates):,.0f} | {median(rates) / median(found['without']):.2f} |")


def main() -> None:
    """Print the three figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with TemporaryDirectory() as folder, load.client(1) as client:
        store = Path(folder) / "store"
        publish(store, N_USERS, n_items=N_ITEMS, factors=FACTORS)
        _two_workers(store, Path(folder), client, options)
        _lists(store, Path(folder), client, options)


if __name__ == "__main__":
    main()
