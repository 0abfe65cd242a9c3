"""Lists over HTTP beside the apps that a user would write in forty lines around the same vectors (`peer_apps.py`).

    apt install wrk; python -m venv peers; peers/bin/pip install --group peers-serving
    python benchmarks/peers_serving.py --python peers/bin/python --made-up 3464x256 10000x512
    python benchmarks/peers_serving.py --python peers/bin/python --store runs/goodbooks-10k/store --workers 1

k = 10, seen items left out, random users, wrk with 32 connections; FastAPI and uvicorn on each side with their
defaults, and one BLAS thread per process. All run at once and take turns for `--rounds` rounds; a ratio is the median
over the rounds, ours over theirs. With one worker, services run on core 0 and wrk on core 1; with two all share both.
`cpu` is the processor time per request of all processes of a side. With filters, ours is beside qdrant-client's local
mode: only the items of the cheapest tenth, by the first number that items have as an attribute.
"""

import argparse
import math
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import served_store
import wrk
from served import cpu_seconds

from recsys.artifacts.bundle import Bundle
from recsys.artifacts.registry import Registry

HERE = Path(__file__).parent
PEERS, FILTERED = ("implicit", "numpy"), "qdrant"
_STILL, _LONGEST_WAIT = 0.3, 30.0
"""Seconds without work of any side before a turn: requests of the last one are done with, whose clients are gone.
Such a backlog of a slow side once took two fifths of the turn of the next one. And the most that this may take.
"""

_NO_REPLY = 0.5
"""Requests per second of a side that answered none in its turn: more than it can have had."""

BARS = {"implicit": 1.5, "numpy": 1.3, FILTERED: 5.0}


@dataclass(frozen=True)
class Side:
    """One running service. `pid`: of its session's first process."""

    name: str
    port: int
    pid: int
    paths: Sequence[str]

    def cpu_seconds(self) -> float:
        """Processor time so far of all its processes."""
        pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
        return sum(cpu_seconds(pid) for pid in pids if _session(pid) == self.pid)


@dataclass(frozen=True)
class Turn:
    """One side's turn; `cpu` in microseconds per request."""

    load: wrk.Wrk
    cpu: float


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return -1


def save_arrays(bundle: Bundle, folder: Path) -> float:
    """What the peers need of a version; returns the bound of the filter's price."""
    embeddings = bundle.model.embeddings
    prices = np.array(bundle.items.table.column(price_of(bundle)).cast(pa.float64()).to_numpy(), np.float64)
    bound = float(f"{np.nanquantile(prices[prices > 0], 0.1):.3g}")
    arrays = {
        "users": embeddings.users,
        "items": embeddings.items * embeddings.item_scale[:, None],
        "seen_indices": bundle.left_out.indices,
        "seen_indptr": bundle.left_out.indptr,
        "user_ids": np.array(bundle.users.ids.to_pylist()),
        "item_ids": np.array(bundle.items.ids.ids.to_pylist()),
        "prices": np.nan_to_num(prices, nan=1e9),
        "max_price": np.array(bound),
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return bound


def price_of(bundle: Bundle) -> str:
    """The first attribute that is a number."""
    schema = bundle.items.table.schema
    return next(field.name for field in schema if pa.types.is_floating(field.type) or pa.types.is_integer(field.type))


@contextmanager
def running(command: Sequence[str], port: int, *, core: int | None, environ: dict[str, str]) -> Iterator[int]:
    """A service in a session of its own, until the end of the block; gives the id of its first process."""
    pin = [] if core is None else ["taskset", "-c", str(core)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with subprocess.Popen(
        [*pin, *command], env=os.environ | one | environ, start_new_session=True, **quiet
    ) as process:
        try:
            _wait(port, process)
            yield process.pid
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(1200):
        if process.poll() is not None:
            break
        with socket.socket() as asked:
            if asked.connect_ex(("127.0.0.1", port)) == 0:
                time.sleep(1)  # of several workers, the others
                return
        time.sleep(0.1)
    raise RuntimeError(f"{process.args} did not start; expected it to listen on port {port}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def sides(store: Path, python: Path, *, workers: int) -> Iterator[list[Side]]:
    """Ours and theirs, running: lists, and lists with a filter."""
    core = 0 if workers == 1 else None
    with TemporaryDirectory() as folder, ExitStack() as stack:
        bundle = Registry(store).load()
        condition = f"{price_of(bundle)} < {save_arrays(bundle, Path(folder))!r}"
        users = [quote(user, safe="") for user in bundle.users.ids.to_pylist()]
        np.random.default_rng(1).shuffle(users)
        shapes = f"{bundle.model.embeddings.items.shape}, {served_store.description(store)}, filter {condition!r}"
        print(f"\n{shapes}, {workers} worker{'s' * (workers > 1)}", flush=True)
        del bundle
        port, found = _free_port(), []
        ours = [sys.executable, "-P", "-m", "api", "--store", str(store), "--port", str(port)]
        pid = stack.enter_context(running([*ours, "--workers", str(workers)], port, core=core, environ={}))
        lists = [f"/v1/users/{user}/recommendations?k=10" for user in users]
        found += [
            Side("recsys", port, pid, lists),
            Side("recsys, filter", port, pid, [f"{path}&filter={quote(condition)}" for path in lists]),
        ]
        for name in (*PEERS, FILTERED):
            port = _free_port()
            command = [str(python), "-m", "uvicorn", "--app-dir", str(HERE), "--factory", f"peer_apps:{name}_app"]
            command += ["--port", str(port), "--workers", str(workers)]
            pid = stack.enter_context(running(command, port, core=core, environ={"PEER_ARRAYS": folder}))
            route = "filtered" if name == FILTERED else "recommendations"
            found.append(Side(name, port, pid, [f"/users/{user}/{route}?k=10" for user in users]))
        yield found


def until_still(all_sides: Sequence[Side]) -> None:
    """Wait until no side works any more."""
    deadline = time.monotonic() + _LONGEST_WAIT
    used = [side.cpu_seconds() for side in all_sides]
    while time.monotonic() < deadline:
        time.sleep(_STILL)
        before, used = used, [side.cpu_seconds() for side in all_sides]
        if max(now - then for now, then in zip(used, before, strict=True)) < 0.1 * _STILL:
            return


def turn(side: Side, all_sides: Sequence[Side], *, workers: int, seconds: float, connections: int, seed: int) -> Turn:
    """One period of load."""
    until_still(all_sides)
    before = side.cpu_seconds()
    core = 1 if workers == 1 else None
    load = wrk.saturate(side.port, side.paths, seconds=seconds, connections=connections, core=core, seed=seed)
    return Turn(load, 1e6 * (side.cpu_seconds() - before) / max(1, load.n_requests))


def report(rounds: Sequence[dict[str, Turn]]) -> None:
    """The table of medians, and of ratios ours over theirs."""
    print("| side | requests/s | cpu us | p50 ms | p99 ms | ours / theirs | by cpu | least, most | p99 | wanted |")
    print("| :-- | --: | --: | --: | --: | --: | --: | --: | --: | :-- |")
    for name in rounds[0]:
        turns = [each[name] for each in rounds]
        own = [statistics.median(value(it) for it in turns) for value in (_rate, _cpu, _p50, _p99)]
        row = f"| {name} | {own[0]:,.0f} | {own[1]:,.0f} | {own[2]:.1f} | {own[3]:.1f} |"
        failed = sum(it.load.failed for it in turns)
        print(row + (_against(name, rounds) if name in BARS else " | | | | |") + (f" failed {failed}" * (failed > 0)))


def _against(name: str, rounds: Sequence[dict[str, Turn]]) -> str:
    us = "recsys, filter" if name == FILTERED else "recsys"
    rates = [_rate(each[us]) / max(_rate(each[name]), _NO_REPLY) for each in rounds]
    cpu = statistics.median(_cpu(each[name]) / _cpu(each[us]) for each in rounds)
    late = statistics.median(_p99(each[us]) / (_p99(each[name]) or math.inf) for each in rounds)
    ratio, bar = statistics.median(rates), BARS[name]
    verdict = f"{bar}: {'met' if ratio >= bar else '**missed**'}; p99 below: {'met' if late < 1 else '**missed**'}"
    return f" **{ratio:.2f}** | {cpu:.2f} | {min(rates):.2f}, {max(rates):.2f} | {late:.2f} | {verdict} |"


def _rate(turn: Turn) -> float:
    return turn.load.rate


def _cpu(turn: Turn) -> float:
    return turn.cpu


def _p50(turn: Turn) -> float:
    return turn.load.p50


def _p99(turn: Turn) -> float:
    return turn.load.p99


def main() -> None:
    """Read the arguments, and let the sides take turns on each store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", type=Path, required=True, help="interpreter of the peers' environment")
    parser.add_argument("--store", type=Path, nargs="*", default=[], help="stores that serve a version")
    parser.add_argument("--made-up", nargs="*", default=[], metavar="ITEMSxFACTORS", help="made-up versions")
    parser.add_argument("--users", type=int, default=20_000, help="of a made-up version")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="one turn's length")
    parser.add_argument("--connections", type=int, default=32)
    args = parser.parse_args()
    with TemporaryDirectory() as folder:
        for size in args.made_up:
            n_items, factors = map(int, size.split("x"))
            served_store.publish(Path(folder) / size, args.users, n_items=n_items, factors=factors)
        for store in [*args.store, *(Path(folder) / size for size in args.made_up)]:
            for workers in args.workers:
                with sides(store, args.python, workers=workers) as found:
                    how = {"workers": workers, "seconds": args.seconds, "connections": args.connections}
                    played = [
                        {side.name: turn(side, found, seed=at, **how) for side in found}
                        for at in range(args.rounds + 1)
                    ]
                    report(played[1:])  # the first warms up


if __name__ == "__main__":
    main()
