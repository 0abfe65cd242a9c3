"""A CSV log with string ids to canonical CSR and id maps: recsys against pandas.

    python benchmarks/ingest.py --rows 20000000

Writes a seeded log, runs each side in its own process, checks that both made the same matrix, and
prints seconds, peak memory and the ratio of the seconds. Seconds count from the first byte of the file to the matrix,
without imports; memory is the process's peak, imports included (both sides import the same).
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import scipy.sparse as sp

from recsys.config import LogSchema
from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.readers import read_log
from recsys.data.matrix import csr_from_pairs

N_USERS, N_ITEMS = 138_000, 27_000
PART = 1 << 20
MIB = 1 << 20


def write_log(path: Path, rows: int) -> None:
    """Write columns user, item, timestamp; a few items take most of the events."""
    rng = np.random.default_rng(1)
    users = pa.array([f"u{number:07d}" for number in range(N_USERS)])
    items = pa.array([f"sku-{number:06d}" for number in range(N_ITEMS)])
    with path.open("wb") as file:
        for start in range(0, rows, PART):
            n = min(PART, rows - start)
            columns = {
                "user": users.take(pa.array(rng.integers(0, N_USERS, n))),
                "item": items.take(pa.array((N_ITEMS * rng.random(n) ** 2).astype(np.int64))),
                "timestamp": rng.integers(1_600_000_000, 1_700_000_000, n),
            }
            options = pa_csv.WriteOptions(include_header=start == 0, quoting_style="none")
            pa_csv.write_csv(pa.table(columns), file, options)


def by_recsys(path: Path) -> Any:
    """read_log and csr_from_pairs."""
    events, _ = read_log(FileSource((path,)), LogSchema(timestamp="timestamp"))
    return csr_from_pairs(events.user_idx, events.item_idx, events.value, (len(events.users), len(events.items)))


def by_pandas(path: Path) -> Any:
    """read_csv with string ids, factorize, coo_matrix."""
    frame = pd.read_csv(path, dtype={"user": str, "item": str})
    user_idx, users = pd.factorize(frame["user"])
    item_idx, items = pd.factorize(frame["item"])
    ones = np.ones(len(frame), np.float32)
    matrix = sp.coo_matrix((ones, (user_idx, item_idx)), shape=(len(users), len(items))).tocsr()
    matrix.sum_duplicates()
    return matrix


SIDES: dict[str, Callable[[Path], Any]] = {"recsys": by_recsys, "pandas": by_pandas}


def measure(side: str, path: Path) -> dict[str, Any]:
    """Run one side in this process."""
    started, used_before = time.perf_counter(), time.process_time()
    matrix = SIDES[side](path)
    seconds = time.perf_counter() - started
    used = time.process_time() - used_before
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    made = {"shape": list(matrix.shape), "entries": int(matrix.nnz), "sum": float(matrix.sum(dtype=np.float64))}
    return {"seconds": seconds, "cpu_seconds": used, "peak_mib": peak / MIB, "made": made}


def measure_apart(side: str, path: Path) -> dict[str, Any]:
    """Run one side in its own process."""
    command = [sys.executable, __file__, "--side", side, "--log", str(path)]
    result: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    seconds, used, peak = (result[key] for key in ("seconds", "cpu_seconds", "peak_mib"))
    print(f"  {side:7} {seconds:7.2f} s  {used:7.2f} s of CPU  {peak:7.0f} MiB peak", flush=True)
    return result


def compare(rows: int, repeats: int, folder: Path) -> None:
    """Measure both sides in turn, and print the median ratio."""
    path = folder / "log.csv"
    write_log(path, rows)
    print(f"{rows:,} rows, {path.stat().st_size / MIB:,.0f} MiB")
    ratios, peaks = [], []
    for _ in range(repeats):
        results = {side: measure_apart(side, path) for side in SIDES}
        if results["recsys"]["made"] != results["pandas"]["made"]:
            raise SystemExit(f"the two made different matrices: {results}")
        ratios.append(results["pandas"]["seconds"] / results["recsys"]["seconds"])
        peaks.append(results["recsys"]["peak_mib"])
    print(f"recsys is {np.median(ratios):.2f} times as fast as pandas, and peaks at {max(peaks):.0f} MiB")


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--repeats", type=int, default=1, help="runs of both sides; the median ratio counts")
    parser.add_argument("--side", choices=list(SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--log", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.side:
        print(json.dumps(measure(options.side, options.log)))
        return
    with tempfile.TemporaryDirectory() as folder:
        compare(options.rows, options.repeats, Path(folder))


if __name__ == "__main__":
    main()
