"""Goodput of one worker that is asked for more than it can answer.

    python benchmarks/overload.py [--store FOLDER] [--rounds 3] [--seconds 5]

The service runs on core 0, the load comes from core 1. Capacity is what 32 connections get; floods take turns with
it. A flood has 320 or 2,000 connections, whose clients ask again as soon as they are refused, or wait for a second as
`Retry-After` says, or requests arrive at ten times the capacity. `/livez` and `/readyz` are asked meanwhile, each
time over a new connection. Per processor second: lists per second of processor time of the service, which other work
on the machine changes less than it changes the rate.
"""

import argparse
import statistics
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import flood
import load
import served_store
from served import Service, service

N_USERS = 200_000


def report(running: Service, pool: ProcessPoolExecutor, *, rounds: int, seconds: float) -> None:
    """Let the floods take turns with the load that measures capacity, and print a row for each."""

    def ask(n: int, mode: str = "at once", rate: float = 0.0) -> flood.Flood:
        options = {"n": n, "mode": mode, "rate": rate, "pid": running.process.pid}
        return pool.submit(flood.flood, running.port, N_USERS, seconds, **options).result()

    ask(32)
    print("| load | lists/s | of capacity | per cpu s | of capacity | p50 ms | p99 ms ", end="")
    print("| refused/s | p50 ms | p99 ms | probes p99 ms | max | failed |")
    print("| :-- " + "| --: " * 12 + "|")
    shares: dict[str, list[float]] = {}
    before = running.status("VmRSS") // 1024
    for _ in range(rounds):
        for n, mode in ((320, "at once"), (2_000, "at once"), (2_000, "patient"), (2_000, "rate")):
            capacity = ask(32)
            print(f"| 32 connections | {capacity.text(None)} |", flush=True)
            found = ask(n, mode, 10 * capacity.goodput)
            name = f"{n:,} connections, {'10 x capacity' if mode == 'rate' else mode}"
            shares.setdefault(name, []).append(found.per_cpu / capacity.per_cpu)
            print(f"| {name} | {found.text(capacity)} |", flush=True)
            if found.n_without_retry_after:
                print(f"{found.n_without_retry_after} refusals without Retry-After")
    for name, of_capacity in shares.items():
        print(f"{name}: {statistics.median(of_capacity):.2f} of capacity, by processor time (median of {rounds})")
    print(f"resident {before} MiB before, {running.status('VmRSS') // 1024} MiB after")


def main() -> None:
    """Read the arguments, publish, serve and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, help="where the version is kept, and taken from if it is there")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="one turn's length")
    args = parser.parse_args()
    with TemporaryDirectory() as folder:
        store = args.store or Path(folder) / "store"
        served_store.publish(store, N_USERS, n_items=27_000, factors=64, neighbours=0)
        with service(store) as running, load.client(core=1) as pool:
            running.wait_for("serving (version=.*)")
            print(f"{served_store.description(store)}\n")
            report(running, pool, rounds=args.rounds, seconds=args.seconds)


if __name__ == "__main__":
    main()
