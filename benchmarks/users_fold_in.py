"""Memory and latency of a service that holds vectors of users, and of one that folds them in from their histories.

    python benchmarks/users_fold_in.py [--users 1000000] [--items 50000] [--factors 64] [--history 30]

A version is sealed from random histories and vectors that follow from them. Each form is served by its own process,
is asked for lists of random users one after the other, and then by 16 connections at once. All memory is in MiB.
`mapped`: pages of the version's files that the process has in memory (RssFile), which workers share; `own`: RssAnon.
`touched`: pages of the users' files that lists of --requests users touch (smaps, Referenced), and those of the users
of one shard of four among them: what a machine's memory has to hold if a router sends it all users, or a quarter.
`users file`: how much of model/users.npy is in the page cache after the questions (mincore).
"""

import argparse
import asyncio
import ctypes
import mmap
import os
import re
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import numpy as np
import pyarrow as pa
from served import Service, service

from recsys.artifacts.bundle import seal_bundle
from recsys.artifacts.contents import USER_VECTORS, Contents
from recsys.artifacts.manifest import VersionFacts
from recsys.artifacts.registry import Registry
from recsys.data.confidence import fit_confidence
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.data.matrix import Csr
from recsys.models.factors.als import AlsConfig
from recsys.models.factors.als_model import AlsModel
from recsys.models.factors.embeddings import Embeddings
from recsys.retrieval.exact import normalised
from recsys.retrieval.flat_index import build_index

CONNECTIONS, SHARDS = 16, 4

OF_USERS = ("model/users.npy", "seen.", "users.arrow")


def main() -> None:
    """Read the arguments, seal, serve both forms, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (
        ("users", 1_000_000),
        ("items", 50_000),
        ("factors", 64),
        ("history", 30),
        ("requests", 1500),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    with TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        version = seal(store, args)
        sizes = {name: path.stat().st_size / 2**20 for name, path in _files(version)}
        total, vectors = sum(sizes.values()), sizes[USER_VECTORS]
        print(f"{args.users:,} users with {args.history} items each, {args.items:,} items, {args.factors} factors:")
        print(f"{total:,.0f} MiB, of which {vectors:,.0f} MiB are vectors of users\n")
        names = (
            "users | start, s | mapped | own | users file | touched | one by one, ms: median, p99 | lists/s | CPU ms"
        )
        print(f"| {names} |")
        print("| :-- | --: | --: | --: | --: | --: | --: | --: | --: |")
        for form in ("stored", "fold_in"):
            _forget_pages(version)
            print(f"| `{form}` | {measured(store, version, form, args)} |")


def seal(store: Path, args: argparse.Namespace) -> Path:
    """A published version whose users' vectors are what training solves for their histories."""
    rng = np.random.default_rng(1)
    popular = rng.zipf(1.3, size=args.users * args.history) % args.items
    items = np.sort(popular.reshape(args.users, args.history).astype(np.int32), axis=1)
    keep = np.ones(items.shape, np.bool_)
    keep[:, 1:] = items[:, 1:] != items[:, :-1]
    indptr = np.concatenate([[0], np.cumsum(keep.sum(axis=1))]).astype(np.int32)
    history = Csr((np.ones(indptr[-1], np.float32), items[keep], indptr), shape=(args.users, args.items))
    vectors = rng.normal(scale=0.3, size=(args.items, args.factors)).astype(np.float32)
    scale = np.ones(args.items, np.float32)
    start = AlsModel(
        Embeddings(np.zeros((args.users, args.factors), np.float32), vectors, scale),
        fit_confidence(history, AlsConfig()),
        30.0,
    )
    model = start.with_embeddings(Embeddings(start.fold_in(history), vectors, scale))
    contents = Contents(
        users=IdMap(pa.array([f"u{number:09}" for number in range(args.users)])),
        items=Items.without_attributes(IdMap(pa.array([f"i{number:09}" for number in range(args.items)]))),
        model=model,
        history=history,
        popularity=model.item_degree,
        index=build_index(model.embeddings.scoring_items),
        similar=build_index(normalised(vectors)),
    )
    manifest = seal_bundle(store, contents, VersionFacts())
    Registry(store).publish(manifest.version)
    return store / "versions" / manifest.version


def measured(store: Path, version: Path, form: str, args: argparse.Namespace) -> str:
    """The cells of one form's row."""
    started = time.perf_counter()
    with service(store, "--users", form) as running:
        running.wait_for(r"serving version=(\S+)")
        load = time.perf_counter() - started
        times = _one_by_one(running, args)
        rate, cpu = asyncio.run(_together(running, args))
        mapped, own = running.status("RssFile") / 1024, running.status("RssAnon") / 1024
        resident = resident_mib(version / USER_VECTORS)
        touched = ", ".join(f"{_touched(running, version, args, shards):,.0f}" for shards in (1, SHARDS))
    median, late = np.median(times), np.quantile(times, 0.99)
    memory = f"{mapped:,.0f} | {own:,.0f} | {resident:,.0f} | {touched}"
    return f"{load:.1f} | {memory} | {median:.2f}, {late:.2f} | {rate:,.0f} | {cpu:.2f}"


def _one_by_one(running: Service, args: argparse.Namespace) -> list[float]:
    """Milliseconds of each question for another user, after a hundred that do not count."""
    times = []
    with httpx.Client(base_url=f"http://127.0.0.1:{running.port}") as client:
        for path in _paths(args, args.requests + 100, seed=2):
            before = time.perf_counter()
            client.get(path).raise_for_status()
            times.append(1000 * (time.perf_counter() - before))
    return times[100:]


async def _together(running: Service, args: argparse.Namespace) -> tuple[float, float]:
    """Lists per second by `CONNECTIONS` at once, and processor milliseconds of the service per list."""
    paths = _paths(args, 2 * args.requests, seed=3)

    async def ask(client: httpx.AsyncClient) -> None:
        for path in paths:  # one iterator: each path is asked once
            (await client.get(path)).raise_for_status()

    before, started = running.cpu_seconds(), time.perf_counter()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{running.port}", timeout=30) as client:
        await asyncio.gather(*(ask(client) for _ in range(CONNECTIONS)))
    seconds, cpu = time.perf_counter() - started, running.cpu_seconds() - before
    return 2 * args.requests / seconds, 1000 * cpu / (2 * args.requests)


def _touched(running: Service, version: Path, args: argparse.Namespace, shards: int) -> float:
    """MiB of the users' files that are touched by the lists of the users of one of `shards`."""
    Path(f"/proc/{running.process.pid}/clear_refs").write_text("3")  # of mapped files
    with httpx.Client(base_url=f"http://127.0.0.1:{running.port}") as client:
        for path in _paths(args, args.requests, seed=4):
            if zlib.crc32(path.encode()) % shards == 0:
                client.get(path).raise_for_status()
    kib, ours = 0, False
    for line in Path(f"/proc/{running.process.pid}/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            ours = any(f"{version}/{name}" in line for name in OF_USERS)
        elif ours and line.startswith("Referenced:"):
            kib += int(line.split()[1])
    return kib / 1024


def _paths(args: argparse.Namespace, n: int, *, seed: int) -> Iterator[str]:
    users = np.random.default_rng(seed).integers(0, args.users, size=n)
    return (f"/v1/users/u{user:09}/recommendations?k=10" for user in users.tolist())


def resident_mib(path: Path) -> float:
    """How much of a file is in the page cache."""
    libc = ctypes.CDLL(None, use_errno=True)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        view = np.frombuffer(mapped, np.uint8)
        pages = np.zeros(-(-len(mapped) // mmap.PAGESIZE), np.uint8)
        address = ctypes.c_void_p(view.ctypes.data)
        failed = libc.mincore(address, ctypes.c_size_t(len(mapped)), ctypes.c_void_p(pages.ctypes.data))
        del view
    if failed:
        raise OSError(ctypes.get_errno(), "mincore")
    return int((pages & 1).sum()) * mmap.PAGESIZE / 2**20


def _files(version: Path) -> list[tuple[str, Path]]:
    return [(path.relative_to(version).as_posix(), path) for path in version.rglob("*") if path.is_file()]


def _forget_pages(version: Path) -> None:
    """Drop the version's files from the page cache, so that what is read afterwards shows."""
    os.sync()
    for _, path in _files(version):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


if __name__ == "__main__":
    main()
