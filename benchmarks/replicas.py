"""What it takes a replica to have a new version: bytes, seconds and processor time of a look, and of loading.

    python benchmarks/replicas.py [--users 1000000] [--items 50000] [--factors 64] [--history 30] [--rounds 3]

The object store is moto's server on this machine, a process of its own, so that the network is not measured: what is
left is a bound of what one replica can take in. `hash` is SHA-256 of the version's files, on all cores.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from users_fold_in import seal

from recsys.address import Address
from recsys.artifacts.bundle import load_bundle, verify_bundle
from recsys.config.serve import Users
from recsys.objects import open_object_store
from recsys.remote import RemotePath
from recsys.replica import Replica
from torture.object_versions import put_version
from torture.s3 import failing_bucket

FORMS: tuple[Users, ...] = ("stored", "fold_in")


def main() -> None:
    """Read the arguments, publish, look, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("users", 1_000_000), ("items", 50_000), ("factors", 64), ("history", 30), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    with failing_bucket() as (_, behind), TemporaryDirectory() as folder:
        os.environ["AWS_ENDPOINT_URL"] = behind
        version = seal(Path(folder) / "store", args)
        print_parts(version)
        started = time.perf_counter()
        put_version(open_object_store(RemotePath(Address("s3://shop-data/bench"))), version)
        print(f"publishing, every byte read back: {time.perf_counter() - started:.1f} s\n", flush=True)
        print("| users | MiB | look, s: median | MiB/s | CPU s | unchanged look, ms | hash, s | load, s |")
        print("| :-- | --: | --: | --: | --: | --: | --: | --: |")
        for users in FORMS:
            print(f"| `{users}` | {measured(Path(folder), version.name, users, args.rounds)} |", flush=True)


def print_parts(version: Path) -> None:
    """MiB of the parts of a version."""
    parts: dict[str, float] = {}
    for path in version.rglob("*"):
        if path.is_file():
            name = path.relative_to(version).as_posix()
            part = "seen" if name.startswith("seen.") else name
            parts[part] = parts.get(part, 0) + path.stat().st_size / 2**20
    shown = sorted(((size, name) for name, size in parts.items() if size >= 0.1), reverse=True)
    print(", ".join(f"{name} {size:,.1f}" for size, name in shown), "MiB")


def measured(folder: Path, version: str, users: Users, rounds: int) -> str:
    """The cells of one form's row."""
    objects = open_object_store(RemotePath(Address("s3://shop-data/bench")))
    looks, cpu, size = [], [], 0.0
    for number in range(rounds):
        replica = Replica(objects, folder / f"{users}-{number}", users=users)
        before = time.process_time()
        looks.append(_seconds(replica.look))
        cpu.append(time.process_time() - before)
        size = replica.status.downloaded_bytes / 2**20
    unchanged = sorted(_seconds(replica.look) for _ in range(20))[10]
    cached = replica.folder / "versions" / version
    hashing, loading = (
        min(_seconds(lambda call=call: call(cached, users=users)) for _ in range(rounds))  # type: ignore[misc]
        for call in (verify_bundle, load_bundle)
    )
    look = sorted(looks)[len(looks) // 2]
    return (
        f"{size:,.0f} | {look:.2f} | {size / look:,.0f} | {min(cpu):.2f} | {1000 * unchanged:.1f} | {hashing:.2f} | "
        f"{loading:.2f}"
    )


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
