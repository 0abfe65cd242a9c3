"""Everybody's 100 best items on Spark: ours against MLlib's `recommendForAllUsers`, on the same vectors and session.

    python benchmarks/spark_export.py                               # 10,000 users, 27,000 items, 64 factors
    python benchmarks/spark_export.py --users 40000 --repeats 2

Both write Parquet. Ours leaves out what a user has seen (about 145 items), settles near-ties in double precision,
and writes the texts of ids; MLlib cannot leave anything out, and writes numbers. The least of the repeats counts; the
first run of each warms Java and the Python workers, and does not.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import shop
from export import K, publish
from pyspark.ml.recommendation import ALS, ALSModel

from recsys.artifacts.bundle import VERSIONS
from recsys.config import ComputeConfig
from recsys.data.arrays import Floats
from recsys.engine import Engine
from recsys.engine.new_share import utc_today
from recsys.export.parts import replacing_parts
from recsys.spark.export import ListsOrder, cut_users, write_lists
from recsys.spark.session import session_of


def mllib_model(spark: Any, folder: Path, users: Floats, items: Floats) -> ALSModel:
    """MLlib's model with these vectors, through the files of a small model that it trained itself."""
    little = spark.createDataFrame([(0, 0, 1.0), (1, 1, 1.0)], "user int, item int, rating float")
    ALS(rank=users.shape[1], maxIter=1).fit(little).write().overwrite().save(str(folder))
    for name, vectors in (("userFactors", users), ("itemFactors", items)):
        shutil.rmtree(folder / name)
        (folder / name).mkdir()
        features = pa.FixedSizeListArray.from_arrays(pa.array(np.asarray(vectors).reshape(-1)), vectors.shape[1])
        ids = pa.array(np.arange(len(vectors), dtype=np.int32))
        table = pa.table({"id": ids, "features": features.cast(pa.list_(pa.float32()))})
        pa_parquet.write_table(table, folder / name / "part.parquet", row_group_size=8_192)
    return ALSModel.load(str(folder))


def ours(spark: Any, store: Path, engine: Engine) -> int:
    """Write the lists; the rows written."""
    with replacing_parts(store / "ours.parquet", engine.version) as folder:
        bounds = cut_users(len(engine.user_ids), 0, cores=spark.sparkContext.defaultParallelism)
        bundle = store / VERSIONS / engine.version
        return write_lists(
            spark, ListsOrder(bundle, folder, ".parquet", K, None, None, bounds, utc_today(), (b"", {}))
        )


def seconds(work: Callable[[], object]) -> float:
    """The time that `work` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=10_000, help="how many (10000)")
    parser.add_argument("--factors", type=int, default=64, help="dimensions (64)")
    parser.add_argument("--repeats", type=int, default=2, help="runs of each side after the first (2)")
    parser.add_argument("--master", default="local[2]", help="of Spark (local[2])")
    args = parser.parse_args()
    compute = ComputeConfig(engine="spark", master=args.master, conf={"spark.driver.memory": "2g"})
    with tempfile.TemporaryDirectory() as name, session_of(compute) as spark:
        store = Path(name)
        engine = publish(store, shop.make_histories(args.users), args.factors)
        vectors = np.load(store / VERSIONS / engine.version / "model" / "users.npy", mmap_mode="r")
        items = np.load(store / VERSIONS / engine.version / "model" / "items.npy", mmap_mode="r")
        model = mllib_model(spark, store / "mllib", vectors, items)
        theirs = lambda: model.recommendForAllUsers(K).write.mode("overwrite").parquet(str(store / "theirs"))  # noqa: E731
        sides: dict[str, Callable[[], object]] = {"ours": lambda: ours(spark, store, engine), "MLlib": theirs}
        taken: dict[str, list[float]] = {side: [] for side in sides}
        for _ in range(1 + args.repeats):
            for side, work in sides.items():
                taken[side].append(seconds(work))
        best = {side: min(times[1:]) for side, times in taken.items()}
        print(f"{args.users:,} users, {len(items):,} items, {args.factors} factors, k = {K}, {args.master}\n")
        print("| ours | recommendForAllUsers | ratio |\n| --: | --: | --: |")
        print(f"| {best['ours']:.1f} s | {best['MLlib']:.1f} s | **{best['MLlib'] / best['ours']:.2f}** |")


if __name__ == "__main__":
    main()
