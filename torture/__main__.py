"""`python -m torture [NAME ...]`: run the campaigns, print what each tried, end with 1 if anything failed.

The sizes are those of `make torture`; `--scale 10` tries ten times as much.
"""

import argparse
import logging
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tests import azurite
from torture import (
    attacks,
    children,
    clouds,
    forget,
    ingest,
    mutations,
    objects,
    openapi,
    oracle,
    power,
    replicas,
    rolling,
    soak,
    spark,
    syscalls,
)
from torture.s3 import failing_bucket
from torture.scratch import scratch

Report = tuple[str, list[str]]


def _mutations(scale: float) -> Report:
    found = mutations.campaign(int(1000 * scale))
    return f"{sum(found.counts.values()):,} mutated bundles: {found.counts}", found.failures


def _power(scale: float) -> Report:
    found = power.campaign(int(150 * scale))
    return f"{found.n_tried:,} losses of power", found.failures


def _oracle(scale: float) -> Report:
    try:
        return f"{oracle.campaign(int(1000 * scale)):,} operations beside a model", []
    except AssertionError as error:
        return "operations beside a model", [str(error)]


def _syscalls(scale: float) -> Report:
    if not syscalls.available():
        return "no system call: strace is not installed, or may not trace", []
    found = syscalls.campaign(int(40 * scale))
    return f"{found.n_tried:,} system calls failed or killed, by exit code {dict(found.endings)}", found.failures


def _ingest(scale: float) -> Report:
    found = ingest.in_processes(int(2000 * scale))
    return f"{found.n_tried:,} mutated files: {dict(found.counts)}", found.failures


def _children(scale: float) -> Report:
    found = children.campaign(int(40 * scale))
    endings = {f"{fault}, exit code {code}": n for (fault, code), n in sorted(found.counts.items())}
    return f"{found.n_tried:,} jobs that went wrong: {endings}", found.failures


def _clients(scale: float) -> Report:
    with attacks.served() as (port, pid):
        before = attacks.held_by(pid)
        n_half_open = min(2_000, int(500 * scale))
        found = attacks.campaign(port, n_half_open=n_half_open, n_splits=int(20 * scale), deadline=20.0)
        after = attacks.held_by(pid)
    held = f"descriptors {before[0]} before, {after[0]} after; resident {before[1]:,} and {after[1]:,} KiB"
    return f"{found.text()}; {held}", found.failures


def _forget(scale: float) -> Report:
    found = forget.campaign(int(60 * scale))
    return f"{found.n_tried:,} commands that forget, {dict(found.endings)}", found.failures


def _openapi(scale: float) -> Report:
    found = openapi.campaign(int(10_000 * scale))
    n_mutated = sum(n for what, n in found.counts.items() if what.endswith("mutated"))
    return (
        f"{found.n_tried:,} requests, {n_mutated:,} of them mutated, by status {dict(found.statuses)}",
        found.failures,
    )


def _footers(scale: float) -> Report:
    found = ingest.in_processes(int(2000 * scale), footers=True)
    return f"{found.n_tried:,} mutated footers of Parquet files: {dict(found.counts)}", found.failures


def _spark(scale: float) -> Report:
    found = spark.campaign(int(20 * scale))
    endings = {f"{fault}, exit code {code}": n for (fault, code), n in sorted(found.counts.items())}
    return f"{found.n_tried:,} nights on Spark that went wrong: {endings}", found.failures


def _objects(scale: float) -> Report:
    return _objects_on(clouds.AMAZON, int(500 * scale))


def _objects_on(cloud: clouds.Cloud, n_cases: int) -> Report:
    with clouds.failing(cloud) as (bucket, behind):
        found = objects.campaign(n_cases, bucket, behind, cloud=cloud)
    faults = f"{sum(found.faults.values()):,} faults planned"
    return (
        f"{found.n_tried:,} cases in {cloud.scheme}://, {faults}: {dict(sorted(found.endings.items()))}",
        found.failures,
    )


def _objects_gs(scale: float) -> Report:
    return _objects_on(clouds.GOOGLE, int(250 * scale))


def _objects_abfs(scale: float) -> Report:
    if azurite.program() is None:
        return f"not run: {azurite.ABSENT}", []
    return _objects_on(clouds.AZURE, int(250 * scale))


def _soak(scale: float) -> Report:
    found = soak.campaign(120 * scale)
    return found.text(), found.failures


def _replicas(scale: float) -> Report:
    with failing_bucket() as (bucket, _), scratch("replicas") as folder:
        versions = replicas.upload(Path(folder))
        n, n_kills = int(250 * scale), int(20 * scale)
        found = replicas.campaign(n, versions, bucket.faults, Path(folder), n_kills=n_kills)
    endings = dict(found.counts.most_common())
    return f"{found.n_tried:,} cases of a failing object store, {found.n_looks:,} looks: {endings}", found.failures


def _rolling(scale: float) -> Report:
    with failing_bucket(), scratch("rolling") as folder:
        versions = replicas.upload(Path(folder))
        found = rolling.campaign(versions, Path(folder), n_rounds=max(1, int(2 * scale)))
    return found.text(), found.failures


CAMPAIGNS: dict[str, Callable[[float], Report]] = {
    "mutations": _mutations,
    "power": _power,
    "oracle": _oracle,
    "syscalls": _syscalls,
    "clients": _clients,
    "forget": _forget,
    "openapi": _openapi,
    "ingest": _ingest,
    "footers": _footers,
    "children": _children,
    "replicas": _replicas,
    "rolling": _rolling,
    "spark": _spark,
    "objects": _objects,
    "objects-gs": _objects_gs,
    "objects-abfs": _objects_abfs,
    "soak": _soak,
}


def main() -> int:
    """Run the campaigns that are named, by default all."""
    parser = argparse.ArgumentParser("python -m torture", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*CAMPAIGNS, []], help="campaigns; default: all")
    parser.add_argument("--scale", type=float, default=1.0, help="how many times the usual number of cases")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)  # thousands of faults, each logged as it should be
    n_failures = 0
    for name in given.names or CAMPAIGNS:
        started = time.perf_counter()
        summary, failures = CAMPAIGNS[name](given.scale)
        seconds = time.perf_counter() - started
        print(
            f"{datetime.now(UTC):%Y-%m-%d} {name}: {summary}; {len(failures)} failures; {seconds:.0f} s", flush=True
        )
        for failure in failures[:20]:
            print(f"  {failure}")
        n_failures += len(failures)
    return 1 if n_failures else 0


if __name__ == "__main__":
    sys.exit(main())
