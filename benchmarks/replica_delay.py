"""How long after the pointer moved each of ten replicas serves a new version.

    python benchmarks/replica_delay.py [--replicas 10] [--poll 2] [--publishes 4] [--users 20000] [--items 5000]

Replicas are services, `python -m api --store s3://... --cache FOLDER`, each a process with a cache of its own, on one
machine with the object store (moto's server). A version is uploaded first; then the pointer moves, which is moment 0.
Moments are those of the services' own logs. `noticed`: until the look that saw it began to download, which the poll
interval bounds; `downloaded`: until it was whole and verified in the cache; `serving`: until requests are answered by
it. Ten replicas on a machine of two cores download, verify and load at the same time, which machines of their own do
not: of the columns, `noticed` is the one that holds elsewhere. Between publishes nothing happens for some intervals,
of random length, so that a publish falls anywhere between two looks.
"""

import argparse
import os
import random
import re
import statistics
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from users_fold_in import seal

from recsys.address import Address
from recsys.artifacts.bucket import read_pointer, upload_version
from recsys.objects import ObjectStore, open_object_store
from recsys.remote import RemotePath
from torture.object_versions import let_serve, put_version
from torture.replicas import ADDRESS
from torture.rolling import Service
from torture.s3 import failing_bucket

PATIENCE = 120.0
_MOMENT = r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),(\d{3}) INFO .*"


def main() -> None:
    """Read the arguments, start replicas, publish, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("replicas", 10), ("publishes", 4), ("users", 20_000), ("items", 5_000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--poll", type=float, default=2.0)
    args = parser.parse_args()
    args.factors, args.history = 64, 20
    os.environ["TZ"] = "UTC"  # of the logs
    with failing_bucket() as (_, behind), TemporaryDirectory() as at, ExitStack() as stack:
        os.environ["AWS_ENDPOINT_URL"] = behind
        folder, objects = Path(at), open_object_store(RemotePath(Address(ADDRESS)))
        versions = [seal_another(folder / f"sealed-{number}", args, number) for number in range(args.publishes + 1)]
        put_version(objects, versions[0])
        running = [Service(folder / f"replica-{number}", poll=args.poll) for number in range(args.replicas)]
        stack.callback(lambda: [service.process.kill() for service in running])
        for service in running:
            service.wait_for(versions[0].name)
        size = sum(path.stat().st_size for path in versions[0].rglob("*") if path.is_file()) / 2**20
        print(
            f"{args.replicas} replicas, a look every {args.poll:g} s, {args.publishes} versions of {size:.1f} MiB\n"
        )
        told = [
            delays(service, version.name, moved)
            for version in versions[1:]
            for moved in (publish(objects, version, args.poll),)
            for service in running
        ]
    print("| seconds after the pointer moved | least | median | most |\n| :-- | --: | --: | --: |")
    for name, found in zip(("noticed", "downloaded", "serving"), zip(*told, strict=True), strict=True):
        print(f"| {name} | {min(found):.2f} | {statistics.median(found):.2f} | {max(found):.2f} |")
    late = sum(noticed > args.poll for noticed, _, _ in told)
    print(f"\nnoticed later than the poll interval: {late} of {len(told)}")


def seal_another(store: Path, args: argparse.Namespace, number: int) -> Path:
    """A version that differs from the others in its number of users."""
    return seal(store, argparse.Namespace(**{**vars(args), "users": args.users + number}))


def publish(objects: ObjectStore, version: Path, poll: float) -> float:
    """Upload a version, wait for a random while, and move the pointer; when it moved, UTC seconds."""
    uploaded = {**read_pointer(objects).pointer.versions, version.name: upload_version(objects, version)}
    time.sleep(random.uniform(1, 2) * poll)
    let_serve(objects, version.name, uploaded)
    return time.time()


def delays(service: Service, version: str, moved: float) -> tuple[float, float, float]:
    """Seconds until a service noticed a version, had downloaded it, and served it."""
    end = time.monotonic() + PATIENCE
    while (serving := found_in(service.log.read_text(), rf"serving version={version}")) is None:
        if time.monotonic() > end:
            raise RuntimeError(f"{version} does not serve:\n{service.log.read_text()[-2000:]}")
        time.sleep(0.2)
    downloaded = found_in(service.log.read_text(), rf"downloaded {version}, [\d.]+ MiB in ([\d.]+) s")
    assert downloaded is not None
    return downloaded[0] - float(downloaded[1]) - moved, downloaded[0] - moved, serving[0] - moved


def found_in(log: str, pattern: str) -> tuple[float, str] | None:
    """When a line was written, UTC seconds, and the first group of `pattern` in it."""
    found = re.search(_MOMENT + pattern, log, re.MULTILINE)
    if found is None:
        return None
    second = datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    return second.timestamp() + int(found[2]) / 1000, (found[3] if found.re.groups > 2 else "")


if __name__ == "__main__":
    main()
