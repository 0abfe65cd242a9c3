"""Upload and download of a version against plain obstore and `cp`, in turns, in processes of their own.

    python benchmarks/transfers.py [--users 400000] [--items 50000] [--factors 64] [--history 30] [--rounds 3]
                                   [--server memory|azurite|moto] [--latency-ms 0]

The server is a process of its own on this machine: `memory` keeps bytes in a Python dictionary and does nothing
else with them, so that it is the least in the way; `azurite` is Microsoft's emulator, `moto` the S3 of the tests. It
shares the cores with what is measured, so MB/s is a lower bound, and `CPU s` (of the client alone) is the figure that
holds elsewhere. `--latency-ms` lets every answer of `memory` wait, as over a network.

put, get: obstore alone, 8 files at once, nothing verified; a get is written to disk. put+get: both, as an upload
moves every byte twice. cp: the folder copied on this disk, then synced. `hash`: share of the client's processor time
that SHA-256 of the bytes takes once. `memory`: how much more the process had at its highest, in MiB. MB is 10^6
bytes.
"""

import argparse
import hashlib
import multiprocessing
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from recsys.address import Address
from recsys.artifacts.bucket import download_version, read_pointer, upload_version
from recsys.artifacts.files import list_files
from recsys.map_ordered import map_ordered
from recsys.objects import open_object_store
from recsys.remote import RemotePath
from tests import azurite
from torture.clouds import AMAZON, AZURE, GOOGLE, Cloud, failing
from torture.object_versions import put_version

THREADS = 8

_MEMORY = """
import sys, time
from tests.google_storage import Memory, google_storage
class Late(Memory):
    def get(self, name):
        time.sleep({seconds})
        return super().get(name)
    def insert(self, name, content, expected):
        time.sleep({seconds})
        return super().insert(name, content, expected)
with google_storage(Late() if {seconds} else None) as bucket:
    print(bucket.endpoint, flush=True)
    sys.stdin.read()
"""


@dataclass(frozen=True)
class Job:
    """What a process does: `work` on the store at `address`, with the folder `version`; `out` is an empty one."""

    work: str
    address: str
    version: Path
    out: Path


@dataclass(frozen=True)
class Took:
    """Seconds, seconds of the processor, and MiB of memory."""

    wall: float
    cpu: float
    memory: float


def main() -> None:
    """Read the arguments, seal, measure in turns, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("users", 400_000), ("items", 50_000), ("factors", 64), ("history", 30), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--server", choices=("memory", "azurite", "moto"), default="memory")
    args = parser.parse_args()
    from users_fold_in import seal  # noqa: PLC0415  (it imports the service, which the measured processes need not)

    with TemporaryDirectory() as folder, server(args.server, args.latency_ms / 1000) as (cloud, endpoint):
        version = seal(Path(folder) / "store", args)
        sizes = [(version / name).stat().st_size for name in list_files(version)]
        megabytes = sum(sizes) / 1e6
        print(f"{megabytes:,.0f} MB in {len(sizes)} files, the largest {max(sizes) / 1e6:,.0f} MB; {args.server}")
        address = cloud.address(endpoint, "bench")
        put_version(open_object_store(RemotePath(Address(address)), seconds=600), version)
        hashing = _hash_seconds(version)
        print(f"SHA-256 of it: {hashing:.2f} s of a core, {megabytes / hashing:,.0f} MB/s\n")
        took = in_turns(address, version, Path(folder), args.rounds)
        print("| what | s, median | MB/s | CPU s | hash | memory, MiB |\n| :-- | --: | --: | --: | --: | --: |")
        for work in WORKS:
            wall = statistics.median(each.wall for each in took[work])
            cpu = min(each.cpu for each in took[work])
            share = f"{hashing / cpu:.0%}" if work in ("upload", "download") else ""
            memory = max(each.memory for each in took[work])
            print(f"| {work} | {wall:.2f} | {megabytes / wall:,.0f} | {cpu:.2f} | {share} | {memory:,.0f} |")


def in_turns(address: str, version: Path, folder: Path, rounds: int) -> dict[str, list[Took]]:
    """Every work once, then every work again, each in a new process."""
    took: dict[str, list[Took]] = {work: [] for work in WORKS}
    spawn = multiprocessing.get_context("spawn")
    for _ in range(rounds):
        for work in WORKS:
            with TemporaryDirectory(dir=folder) as out, spawn.Pool(1) as pool:
                took[work].append(pool.apply(measured, (Job(work, address, version, Path(out)),)))
                for path in Path(out).rglob("*"):
                    path.chmod(0o700)
    return took


def measured(job: Job) -> Took:
    """What the work takes in this process; called in one of its own."""
    work = WORKS[job.work]
    warm = open_object_store(RemotePath(Address(job.address)), seconds=600)
    version = read_pointer(warm).pointer.versions[job.version.name]  # connected, and everything is imported
    assert version.size > 0
    Path("/proc/self/clear_refs").write_text("5")  # what was highest so far counts no more
    before, began, cpu = _memory("VmRSS"), time.perf_counter(), time.process_time()
    work(job)
    return Took(time.perf_counter() - began, time.process_time() - cpu, _memory("VmHWM") - before)


def _memory(name: str) -> float:
    """MiB, of /proc."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def _upload(job: Job) -> None:
    upload_version(open_object_store(RemotePath(Address(job.address)), seconds=600), job.version)


def _download(job: Job) -> None:
    objects = open_object_store(RemotePath(Address(job.address)), seconds=600)
    upload = read_pointer(objects).pointer.versions[job.version.name]
    download_version(objects, job.version.name, upload, job.out / "versions")


def _put(job: Job) -> None:
    store = _plain(job)
    each(job.version, lambda name: store.put(f"plain/{name}", job.version / name))


def _get(job: Job) -> None:
    store, folder = _plain(job), read_pointer(open_object_store(RemotePath(Address(job.address)))).pointer
    place = folder.versions[job.version.name].folder

    def fetch(name: str) -> None:
        path = job.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for chunk in store.get(f"{place}/{name}").stream(min_chunk_size=8 << 20):
                file.write(chunk)

    each(job.version, fetch)


def _put_and_get(job: Job) -> None:
    _put(job)
    store = _plain(job)
    each(job.version, lambda name: sum(len(chunk) for chunk in store.get(f"plain/{name}").stream()))


def _copy(job: Job) -> None:
    shutil.copytree(job.version, job.out / "copy")
    os.sync()


def each(version: Path, work: Callable[[str], object]) -> None:
    """`work` of every file, the largest first, as many at once as an upload has."""
    names = sorted(list_files(version), key=lambda name: -(version / name).stat().st_size)
    for _ in map_ordered(work, names, threads=THREADS, ahead=THREADS):
        pass


def _plain(job: Job):  # type: ignore[no-untyped-def]
    from obstore.store import AzureStore, GCSStore, S3Store  # noqa: PLC0415

    from recsys.objects.clouds import connection  # noqa: PLC0415

    found = connection(path := RemotePath(Address(job.address)))
    kinds = {"S3Store": S3Store, "GCSStore": GCSStore, "AzureStore": AzureStore}
    client = {"allow_http": True, "timeout": "600s"}
    return kinds[found.store](prefix=path.key, client_options=client, **found.settings)


WORKS: dict[str, Callable[[Job], None]] = {
    "upload": _upload,
    "put+get": _put_and_get,
    "put": _put,
    "download": _download,
    "get": _get,
    "cp": _copy,
}


def _hash_seconds(version: Path) -> float:
    best = float("inf")
    for _ in range(2):
        began = time.process_time()
        for name in list_files(version):
            with (version / name).open("rb") as file:
                hashlib.file_digest(file, "sha256")
        best = min(best, time.process_time() - began)
    return best


@contextmanager
def server(name: str, seconds: float) -> Iterator[tuple[Cloud, str]]:
    """One on loopback: its kind, and its endpoint. `seconds`: how late it answers, if it is `memory`."""
    if name == "memory":
        command = [sys.executable, "-c", _MEMORY.format(seconds=seconds)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                yield GOOGLE, process.stdout.readline().strip()
            finally:
                process.kill()
    elif name == "moto":
        with failing(AMAZON) as (_, behind):
            yield AMAZON, behind
    else:
        with azurite.azurite() as behind:
            os.environ["AZURE_STORAGE_KEY"] = azurite.KEY
            yield AZURE, f"http://{behind}"


if __name__ == "__main__":
    main()
