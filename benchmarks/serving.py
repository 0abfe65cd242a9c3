"""Throughput of one worker on one core, relative to routes of the same service that return a constant body.

    python benchmarks/serving.py [--items 27000] [--factors 64] [--users 200000] [--neighbours 80] [--store FOLDER]

`constant` is a route of the framework's, `direct` one that is answered as lists are, without the framework's search
for routes and dependencies. k = 10, seen items excluded, each user asked for once. The service runs on core 0, the
load comes from core 1 over --connections that send the next request as soon as they have a reply. Routes take turns
for --rounds rounds; a ratio is the median over the rounds. `cpu` is the processor time of the service per request,
which a busy machine hardly changes. Then lists are requested at random times at half that rate; those latencies count
from the arrival, and percentiles are medians over the periods. `/livez` is requested meanwhile on its own connection.
With --store, the synthetic version is kept there.
"""

import argparse
import statistics
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import load
import numpy as np
import served_store
from served import CONSTANT, DIRECT, Service, service

ROUTES = ("constant", "direct", "list", "filtered")

_MOST_A_SECOND = 10_000
_PATHS = {"constant": CONSTANT, "direct": DIRECT}


@dataclass(frozen=True)
class Turn:
    """One route's turn: what the client measured, and processor microseconds of the service per request."""

    load: load.Load
    cpu: float


class Contest:
    """The routes of one service, taking turns; no user is requested twice."""

    def __init__(self, running: Service, client: ProcessPoolExecutor, *, seconds: float, connections: int) -> None:
        self._running, self._client = running, client
        self._seconds, self._connections = seconds, connections
        self._next_user = 0

    def turn(self, route: str) -> Turn:
        """One period of load, as much as is answered."""
        before, paths = self._running.cpu_seconds(), self._paths(route, _MOST_A_SECOND)
        asked = self._client.submit(
            load.saturate, self._running.port, paths, self._seconds, n_connections=self._connections
        )
        found = asked.result()
        self._next_user += found.n_requests + self._connections
        return Turn(found, 1e6 * (self._running.cpu_seconds() - before) / (found.n_requests + len(found.probes)))

    def at_rate(self, rate: float) -> load.Load:
        """Lists requested at random times."""
        paths = self._paths("list", int(2 * rate))
        self._next_user += int(rate * self._seconds)
        return self._client.submit(load.arrive, self._running.port, paths, self._seconds, rate=rate).result()

    def _paths(self, route: str, a_second: int) -> list[str]:
        n = int(self._seconds * a_second)
        if route in _PATHS:
            return [_PATHS[route]] * n
        query = f"?k=10&filter={quote(served_store.RARE)}" if route == "filtered" else "?k=10"
        users = map(served_store.user_id, range(self._next_user, self._next_user + n))
        return [f"/v1/users/{user}/recommendations{query}" for user in users]


def report(contest: Contest, running: Service, rounds: int) -> None:
    """Let the routes take turns and print the table."""
    warm = {route: contest.turn(route) for route in ROUTES}
    print(f"(warm: {', '.join(f'{route} {turn.load.rate:,.0f}/s' for route, turn in warm.items())})\n")
    turns = [{route: contest.turn(route) for route in ROUTES} for _ in range(rounds)]
    print("| route | requests/s | of constant | of list | cpu us | of constant | p50 ms | p99 ms | livez p99 ms |")
    print("| :-- | --: | --: | --: | --: | --: | --: | --: | --: |")
    for route in ROUTES:
        print(_row(route, turns))
    rate = statistics.median(each["list"].load.rate for each in turns) / 2
    spells = [contest.at_rate(rate) for _ in range(rounds)]
    half, (early, *_, last) = statistics.median(it.percentile(50) for it in spells), sorted(_late(spells))
    late = statistics.median(_late(spells))
    print(f"\nlists at half that load, {rate:,.0f}/s: p50 {half:.1f} ms, p99 {late:.1f} ms", end=" ")
    print(f"({early:.1f} to {last:.1f}; wanted: at most 8), failed {sum(spell.n_failed for spell in spells)}")
    failed = sum(turn.load.n_failed for each in turns for turn in each.values())
    threads, resident = running.status("Threads"), running.status("VmRSS") // 1024
    print(f"failed under full load: {failed}; threads {threads}; resident {resident} MiB")


def _late(spells: Sequence[load.Load]) -> list[float]:
    return [spell.percentile(99) for spell in spells]


def _row(route: str, turns: Sequence[dict[str, Turn]]) -> str:
    def median(ratio: str, quantity: str) -> float:
        return statistics.median(_of(each[route], quantity) / _of(each[ratio], quantity) for each in turns)

    mine = [each[route] for each in turns]
    rate = statistics.median(turn.load.rate for turn in mine)
    cpu = statistics.median(turn.cpu for turn in mine)
    half, late = (statistics.median(turn.load.percentile(at) for turn in mine) for at in (50, 99))
    probe = float(np.percentile([latency for turn in mine for latency in turn.load.probes], 99))
    ratios = f"**{median('constant', 'rate'):.2f}** | {median('list', 'rate'):.2f}"
    return (
        f"| {route} | {rate:,.0f} | {ratios} | {cpu:,.0f} | {median('constant', 'cpu'):.2f} "
        f"| {half:.1f} | {late:.1f} | {probe:.1f} |"
    )


def _of(turn: Turn, quantity: str) -> float:
    return turn.cpu if quantity == "cpu" else turn.load.rate


def main() -> None:
    """Read the arguments, publish, serve and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=27_000)
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--users", type=int, default=200_000)
    parser.add_argument("--neighbours", type=int, default=0, help="items that each item adds to the scores of")
    parser.add_argument("--store", type=Path, help="where the version is kept, and taken from if it is there")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="one turn's length")
    parser.add_argument("--connections", type=int, default=32)
    args = parser.parse_args()
    with TemporaryDirectory() as folder:
        store = args.store or Path(folder) / "store"
        served_store.publish(store, args.users, n_items=args.items, factors=args.factors, neighbours=args.neighbours)
        with service(store) as running, load.client(core=1) as pool:
            running.wait_for("serving (version=.*)")
            print(f"{served_store.description(store)}, {args.connections} connections")
            contest = Contest(running, pool, seconds=args.seconds, connections=args.connections)
            report(contest, running, args.rounds)


if __name__ == "__main__":
    main()
