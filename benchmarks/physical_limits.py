"""How far ingest, training, ranking, export and a list over HTTP are from what this machine can do at most.

    python benchmarks/physical_limits.py                     # all, about two minutes
    python benchmarks/physical_limits.py --only ranking http

First the machine is measured: bytes read from memory, multiply-adds of a large float32 product, bytes of CSV cut into
columns of texts, and one send and one receive on a local socket. Then each part does a known amount of work. Its
limit is the longest of the times that this work would take at these rates, as if everything else were free. All are
processor seconds on one core (BLAS has one thread), the least of the repeats, so that a shared machine distorts
little. `benchmarks/limits.md` says what the figures mean.
"""

import argparse
import asyncio
import contextlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import export as export_benchmark
import ingest
import load
import numpy as np
import pyarrow.csv as pa_csv
import served
import served_store
import shop
from threadpoolctl import threadpool_limits

from pipelines.commands.export import export
from recsys.data.matrix import Csr
from recsys.models.factors.als import AlsConfig, fit_als
from recsys.models.factors.als_solver.kernels import CG_STEPS
from recsys.progress import silent
from recsys.retrieval.exact import ExactSearch

_ROWS, _USERS, _FACTORS, _K = 2_000_000, 3_000, 128, 100
_SECONDS = 3.0
"""Of load on a server; it is not left alone sooner."""

_REQUEST, _REPLY = 120, 1_400
"""Bytes of a question and of its reply with ten items, headers included."""


@dataclass(frozen=True)
class Machine:
    """What one core does per second, and the seconds of one send and one receive."""

    bytes_read: float
    multiply_adds: float
    bytes_parsed: float
    round_trip: float


def seconds_of(work: Callable[[], object], repeats: int = 3) -> float:
    """The least processor seconds of several runs."""
    return min(shop.clocked(work)[1] for _ in range(repeats))


def measured(log: Path) -> Machine:
    """The rates of this machine; `log` is the file that is parsed."""
    words = np.ones(2**25, np.uint64)
    square = np.random.default_rng(1).random((1536, 1536), np.float32)
    options = pa_csv.ReadOptions(use_threads=False)
    columns = pa_csv.ConvertOptions(column_types=dict.fromkeys(("user", "item", "timestamp"), "string"))
    return Machine(
        bytes_read=words.nbytes / seconds_of(words.sum, 5),
        multiply_adds=square.size * len(square) / seconds_of(lambda: square @ square, 5),
        bytes_parsed=log.stat().st_size
        / seconds_of(lambda: pa_csv.read_csv(log, read_options=options, convert_options=columns)),
        round_trip=_round_trip(),
    )


def _round_trip(times: int = 20_000) -> float:
    """Seconds that a server spends in the kernel per question: it receives one and sends the reply."""
    one, other = socket.socketpair()
    question, reply = bytes(_REQUEST), bytes(_REPLY)

    def talk() -> None:
        for _ in range(times):
            one.send(question)
            other.recv(65_536)
            other.send(reply)
            one.recv(65_536)

    with one, other:
        return seconds_of(talk) / times / 2  # the other half is the client's


def print_row(part: str, work: str, limits: dict[str, float], ours: float, unit: str = "s") -> None:
    """One row of the table: the limit that binds, ours, and how many times as long ours takes."""
    binding = max(limits, key=lambda name: limits[name])
    scale = 1e6 if unit == "us" else 1
    told = ", ".join(f"{name} {scale * each:.3g}" for name, each in limits.items())
    print(
        f"| {part} | {work} | {told} | {binding} | {scale * ours:.3g} {unit} | **{ours / limits[binding]:.2f}** |",
        flush=True,
    )


def of_ingest(machine: Machine, log: Path) -> None:
    """A CSV log to a matrix."""
    size = log.stat().st_size
    limits = {"bytes parsed": size / machine.bytes_parsed, "memory": size / machine.bytes_read}
    ours = seconds_of(lambda: ingest.by_recsys(log))
    print_row("ingest", f"{_ROWS:,} rows, {size / 2**20:.0f} MiB", limits, ours)


def of_training(machine: Machine, histories: Csr) -> None:
    """One iteration of ALS by compiled loops: the second of two. The first has the start and the compiling."""
    config = AlsConfig(factors=_FACTORS, solver="compiled", auto=False, early_stopping=False, neighbours=0)
    fit_als(histories[:100], config.model_copy(update={"iterations": 1}))
    times = [
        seconds_of(lambda n=n: fit_als(histories, config.model_copy(update={"iterations": n})), 2) for n in (1, 3)
    ]
    per_side = histories.nnz * (1 + CG_STEPS) * 2 * _FACTORS
    gram = sum(histories.shape) * _FACTORS**2
    limits = {
        "multiply-adds": (2 * per_side + gram) / machine.multiply_adds,
        "memory": 2 * 4 * histories.nnz * _FACTORS / machine.bytes_read,
    }
    print_row(
        "training", f"one iteration, {histories.nnz:,} x {_FACTORS}", limits, max(times[1] - times[0], 1e-9) / 2
    )


def of_ranking(machine: Machine, histories: Csr) -> None:
    """Everybody's best among all items, compared one by one and the longest first."""
    users, items = shop.make_vectors(histories, _FACTORS)
    limits = _limits_of_products(machine, histories)
    for name, least in (("ranking, all items", np.inf), ("ranking, by length", 0.0)):
        search = ExactSearch(items, compiled_from=least)
        search.search(users[:300], _K, exclude=histories[:300])
        ours = seconds_of(lambda search=search: search.search(users, _K, exclude=histories))
        print_row(name, _lists(histories), limits, ours)


def of_export(machine: Machine, histories: Csr) -> None:
    """The same lists, from a sealed version to a Parquet file."""
    with tempfile.TemporaryDirectory() as folder:
        engine, out = export_benchmark.publish(Path(folder), histories, _FACTORS), Path(folder) / "lists.parquet"
        write = lambda: export(engine, out, k=_K, progress=silent)  # noqa: E731
        write()
        ours = seconds_of(write)
        limits = _limits_of_products(machine, histories) | {"memory": out.stat().st_size / machine.bytes_read}
    print_row("export to Parquet", _lists(histories), limits, ours)


def _limits_of_products(machine: Machine, histories: Csr) -> dict[str, float]:
    return {"multiply-adds": histories.shape[0] * histories.shape[1] * _FACTORS / machine.multiply_adds}


def _lists(histories: Csr) -> str:
    n_users, n_items = histories.shape
    return f"{n_users:,} users x {n_items:,} items x {_FACTORS}, k = {_K}"


def of_http(machine: Machine) -> None:
    """A user's list of ten, and a constant body by a bare protocol of asyncio, at 32 connections."""
    limits, asked = {"system calls": machine.round_trip}, 4_000
    with _bare_server() as (pid, port):
        bare = _per_request(pid, port, ["/"] * asked)
    print_row("a bare protocol", "a constant body", limits, bare, "us")
    with tempfile.TemporaryDirectory() as folder:
        served_store.publish(Path(folder), asked, n_items=shop.N_ITEMS, factors=64)
        with served.service(Path(folder)) as running:
            running.wait_for("serving (version=.*)")
            pid, port = running.process.pid, running.port
            paths = [f"/v1/users/{served_store.user_id(n)}/recommendations?k=10" for n in range(asked)]
            _per_request(pid, port, paths[:500])
            constant, lists = (_per_request(pid, port, some) for some in ([served.CONSTANT] * asked, paths))
    print_row("a constant route", "a constant body", limits, constant, "us")
    print_row("a list over HTTP", f"ten of {shop.N_ITEMS:,} items x 64", limits, lists, "us")


def _per_request(pid: int, port: int, paths: list[str]) -> float:
    """Processor seconds of the server per request."""
    before = served.cpu_seconds(pid)
    done = load.saturate(port, paths, _SECONDS, n_connections=32)
    return (served.cpu_seconds(pid) - before) / max(1, done.n_requests)


@contextlib.contextmanager
def _bare_server() -> Iterator[tuple[int, int]]:
    command = [sys.executable, __file__, "--bare"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.pid, int(process.stdout.readline())
        finally:
            process.terminate()


class _Bare(asyncio.Protocol):
    """Answers every request with the same bytes, and looks at nothing but its end."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        head = b"HTTP/1.1 200 OK\r\nContent-Length: "
        self._reply = head + b"%d\r\n\r\n" % (_REPLY - 60) + bytes(_REPLY - 60)

    def data_received(self, data: bytes) -> None:
        assert isinstance(self._transport, asyncio.Transport)
        self._transport.write(self._reply * data.count(b"\r\n\r\n"))


async def _serve_bare() -> None:
    server = await asyncio.get_running_loop().create_server(_Bare, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


PARTS = ("ingest", "training", "ranking", "export", "http")


def main() -> None:
    """Measure the machine, then each part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--bare", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.bare:
        asyncio.run(_serve_bare())
        return
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1, "blas"):
        run(Path(folder) / "log.csv", args.only)


def run(log: Path, parts: list[str]) -> None:
    """Print the rates of the machine and the table."""
    started = time.perf_counter()
    ingest.write_log(log, _ROWS)
    machine, histories = measured(log), shop.make_histories(_USERS)
    print(
        f"one core: {machine.bytes_read / 1e9:.1f} GB/s read, {machine.multiply_adds / 1e9:.1f} G multiply-adds/s, "
        f"{machine.bytes_parsed / 1e6:.0f} MB/s of CSV, {1e6 * machine.round_trip:.1f} us to receive and send\n"
    )
    print("| part | work | at these rates | the limit | ours | times the limit |")
    print("| :-- | :-- | :-- | :-- | --: | --: |", flush=True)
    work = {
        "ingest": lambda: of_ingest(machine, log),
        "training": lambda: of_training(machine, histories),
        "ranking": lambda: of_ranking(machine, histories),
        "export": lambda: of_export(machine, histories),
        "http": lambda: of_http(machine),
    }
    for part in parts:
        work[part]()
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
