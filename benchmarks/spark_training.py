"""Training on Spark beside the local solver: seconds, peak memory, and how far the vectors are from each other.

    python benchmarks/spark_training.py [--events 20000000] [--factors 128] [--master local[2]] [--folder FOLDER]
    python benchmarks/spark_training.py --given NAME=USERS_ITEMS.csv ...

Both fit the same counts, with `solver = "compiled"`, each in a process of its own: a generated log of a book shop
(138,000 readers, 27,000 books), or the first two columns of CSV files. The Spark session, which a night starts once,
is not timed. On a busy machine compare processor seconds, those of all processes.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pv
import pyarrow.parquet as pq

from recsys.config import ComputeConfig
from recsys.data.arrays import Floats
from recsys.data.id_map import IdMap
from recsys.data.matrix import Csr, InteractionMatrix, csr_from_pairs, load_csr, save_csr
from recsys.data.synthetic import generate_matrix, make_world
from recsys.models.factors.als import AlsConfig
from recsys.models.factors.als_model import train_als as train_locally
from recsys.spark.als import train_als
from recsys.spark.row_blocks import BlocksShape, StoredBlocks, split_rows
from recsys.spark.session import open_session

N_USERS, N_ITEMS = 138_000, 27_000
BLOCK_ENTRIES = 2_000_000


def store(matrix: Csr, folder: Path, block_entries: int) -> StoredBlocks:
    """The matrix as prepare stores it, one file per block."""
    blocks, n_blocks = StoredBlocks(folder, BlocksShape(*matrix.shape, matrix.nnz, 0)), 0
    blocks.table.mkdir(parents=True)
    for block in split_rows(matrix, block_entries):
        table = pa.Table.from_batches([block.to_batch()])
        pq.write_table(table, blocks.table / f"part-{block.number:05d}.parquet", compression="zstd")
        n_blocks += 1
    stored = StoredBlocks(folder, BlocksShape(*matrix.shape, matrix.nnz, n_blocks))
    stored.write_shape()
    return stored


def matrix_of(csr: Csr) -> InteractionMatrix:
    """Counts with ids of positions."""
    users, items = (IdMap(pa.array([f"{at:09d}" for at in range(n)])) for n in csr.shape)
    return InteractionMatrix(users, items, csr)


def fit(engine: str, folder: Path, shape: tuple[int, int], options: dict[str, Any]) -> dict[str, Any]:
    """Fit once in this process, and leave the vectors in `folder`."""
    config = AlsConfig(solver="compiled", factors=options["factors"], iterations=options["iterations"])
    csr = load_csr(folder / "counts", shape)
    if engine == "local":
        matrix = matrix_of(csr)
        started, worked = time.perf_counter(), processor_seconds()
        model = train_locally(matrix, config)
        seconds, worked = time.perf_counter() - started, processor_seconds() - worked
        users, items = model.embeddings.users, model.embeddings.items
    else:
        conf = {"spark.driver.memory": options["memory"]}
        compute = ComputeConfig(engine="spark", master=options["master"], conf=conf)
        compute = compute.model_copy(update={"broadcast_mib": options["broadcast_mib"]})
        transposed = Csr(csr.T.tocsr())
        stored = [
            store(side, folder / name, options["block_entries"])
            for side, name in ((csr, "users"), (transposed, "items"))
        ]
        del csr, transposed
        spark = open_session(compute)
        spark.range(1).count()
        started, worked = time.perf_counter(), processor_seconds()
        fitted = train_als(spark, *stored, config, scratch=folder / "fit", compute=compute)
        seconds, worked = time.perf_counter() - started, processor_seconds() - worked
        assert fitted.users is not None
        users, items = fitted.users.whole(), fitted.items
        spark.stop()
    np.save(folder / f"{engine}-users.npy", users)
    np.save(folder / f"{engine}-items.npy", items)
    peaks = [resource.getrusage(who).ru_maxrss // 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    times = {"seconds": round(seconds, 1), "processor_seconds": round(worked, 1)}
    return times | {"process_mib": peaks[0], "largest_child_mib": peaks[1]}


def processor_seconds() -> float:
    """Of this process and of all its descendants, the ended ones too, from /proc."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:  # it has just ended
            continue
        found[int(path.parent.name)] = int(fields[1]), sum(map(int, fields[11:15]))
    family = {os.getpid()}
    while more := {pid for pid, (parent, _) in found.items() if parent in family} - family:
        family |= more
    return sum(found[pid][1] for pid in family) / os.sysconf("SC_CLK_TCK")


def farthest(found: Floats, expected: Floats) -> float:
    """The largest difference of a vector, relative to their mean length, after the turn that brings them closest."""
    left, _, right = np.linalg.svd((found.T @ expected).astype(np.float64))
    distance = np.linalg.norm(found @ (left @ right).astype(np.float32) - expected, axis=1)
    return float(distance.max() / np.linalg.norm(expected, axis=1).mean())


def same_lists(folder: Path, k: int = 20, n: int = 500) -> float:
    """The share of the first `k` items of `n` users that both engines have, seen items not left out."""
    tops = []
    for engine in ("local", "spark"):
        users, items = (np.load(folder / f"{engine}-{side}.npy", mmap_mode="r") for side in ("users", "items"))
        rows = np.linspace(0, len(users) - 1, n).astype(int)
        tops.append(np.argsort(-(users[rows] @ items.T), axis=1)[:, :k])
    return float(np.mean([len(np.intersect1d(one, other)) / k for one, other in zip(*tops, strict=True)]))


def compare(csr: Csr, options: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Both engines on the same counts."""
    folder.mkdir(parents=True, exist_ok=True)
    save_csr(csr, folder / "counts")
    shape, entries = csr.shape, int(csr.nnz)
    del csr
    found: dict[str, Any] = {"users": shape[0], "items": shape[1], "entries": entries}
    for engine in ("local", "spark"):
        command = [sys.executable, __file__, "--fit", engine, "--folder", str(folder)]
        command += ["--shape", json.dumps(shape), "--options", json.dumps(options)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode:
            raise SystemExit(ended.stderr[-3000:])
        found[engine] = json.loads(ended.stdout.splitlines()[-1])
    for name, key in (("times", "seconds"), ("times_processor", "processor_seconds")):
        found[name] = round(found["spark"][key] / found["local"][key], 2)
    vectors = {
        side: farthest(*(np.load(folder / f"{engine}-{side}.npy") for engine in ("spark", "local")))
        for side in ("users", "items")
    }
    return (
        found
        | {f"farthest_{side}": f"{value:.1e}" for side, value in vectors.items()}
        | {"same_of_first_20": round(same_lists(folder), 4)}
    )


def given(path: Path) -> Csr:
    """Counts of the first two columns of a CSV file."""
    table = pv.read_csv(path).select([0, 1]).drop_null()
    (users, user), (items, item) = (IdMap.of(column.cast(pa.string()).combine_chunks()) for column in table.columns)
    return csr_from_pairs(user, item, np.ones(len(user), np.float32), (len(users), len(items)))


def main() -> None:
    """Print one line of JSON per log."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=20_000_000)
    parser.add_argument("--factors", type=int, default=128)
    parser.add_argument("--iterations", type=int, default=5)
    parser.add_argument("--block-entries", type=int, default=BLOCK_ENTRIES)
    parser.add_argument("--broadcast-mib", type=int, default=512)
    parser.add_argument("--master", default="local[2]")
    parser.add_argument("--memory", default="2g", help="of Spark's Java process")
    parser.add_argument("--given", action="append", default=[])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--fit", help=argparse.SUPPRESS)
    parser.add_argument("--shape", help=argparse.SUPPRESS)
    parser.add_argument("--options", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.fit:
        print(json.dumps(fit(asked.fit, asked.folder, tuple(json.loads(asked.shape)), json.loads(asked.options))))
        return
    names = ("factors", "iterations", "block_entries", "broadcast_mib", "master", "memory")
    options = {name: getattr(asked, name) for name in names}
    logs = dict(each.split("=", 1) for each in asked.given) or {f"generated {asked.events:,} events": None}
    for name, path in logs.items():
        with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
            world = make_world(n_users=N_USERS, n_items=N_ITEMS, seed=1)
            csr = generate_matrix(world, asked.events) if path is None else given(Path(path))
            del world
            print(json.dumps({"log": name, **options, **compare(csr, options, Path(folder))}), flush=True)


if __name__ == "__main__":
    main()
