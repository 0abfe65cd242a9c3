"""Whether lists over HTTP are the same as in the file that `recsys export` writes.

    python benchmarks/same_lists.py [--store STORE] [--users 1000] [--k 10 50]

Users are spread evenly over the store, and asked for over --connections at once, so that requests share searches.
 Wanted: the same ids in the same order, scores at most 1e-5 apart. Without --store a synthetic version
with neighbours is published.
"""

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import load
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import served_store
from served import service

WANTED = 1e-5

_USERS, _ITEMS, _FACTORS, _NEIGHBOURS = 20_000, 27_000, 64, 80


@dataclass(frozen=True)
class Row:
    """One list: item ids, best first, and their scores."""

    ids: list[str]
    scores: list[float]


def exported(store: Path, n_users: int, k: int) -> dict[str, Row]:
    """The lists of `n_users` users, spread evenly over all, as the command line writes them."""
    with TemporaryDirectory() as folder:
        out = Path(folder) / "lists.parquet"
        command = [sys.executable, "-m", "pipelines", "export", "--store", store, "--out", out, "-k", k]
        subprocess.run([str(part) for part in command], check=True, capture_output=True)
        table = pq.read_table(out, columns=["user_id", "item_id", "score"])
    users = pc.unique(table["user_id"])
    wanted = users.take(pa.array(np.unique(np.linspace(0, len(users) - 1, n_users, dtype=np.int64))))
    found: dict[str, Row] = {user: Row([], []) for user in wanted.to_pylist()}
    chosen = table.filter(pc.is_in(table["user_id"], value_set=wanted))
    for user, item, score in zip(*(chosen[name].to_pylist() for name in chosen.column_names), strict=True):
        found[user].ids.append(item)
        found[user].scores.append(score)
    return found


async def served(port: int, users: Sequence[str], k: int, n_connections: int) -> dict[str, Row]:
    """The lists of `users`, asked for over all connections at once. Raises RuntimeError where one is refused."""
    found, waiting = dict[str, Row](), iter(users)

    async def keep_asking(connection: load.Connection) -> None:
        for user in waiting:
            reply = await connection.ask(f"/v1/users/{quote(user, safe='')}/recommendations?k={k}")
            if not reply.is_ok:
                raise RuntimeError(f"{user}: {reply.body.decode()}")
            items = json.loads(reply.body)["items"]
            found[user] = Row([item["item_id"] for item in items], [item["score"] for item in items])

    await asyncio.gather(*map(keep_asking, await load.connect(port, n_connections)))
    return found


def compared(one: dict[str, Row], other: dict[str, Row]) -> tuple[int, float]:
    """How many ids differ, rank by rank, and the largest difference between scores of the same rank."""
    n_differ, apart = 0, 0.0
    for user, row in one.items():
        ids = other[user].ids
        n_differ += abs(len(row.ids) - len(ids)) + sum(a != b for a, b in zip(row.ids, ids, strict=False))
        apart = max(apart, *(abs(a - b) for a, b in zip(row.scores, other[user].scores, strict=False)), 0.0)
    return n_differ, apart


def run(store: Path, n_users: int, ks: Sequence[int], n_connections: int) -> None:
    """Export, serve, ask and report."""
    print(f"| store | k | lists | ids | ids that differ | largest score difference (wanted: {WANTED:.0e}) |")
    print("| :-- | --: | --: | --: | --: | --: |")
    with service(store, core=None) as running:
        running.wait_for("serving (version=.*)")
        for k in ks:
            file = exported(store, n_users, k)
            n_differ, apart = compared(file, asyncio.run(served(running.port, list(file), k, n_connections)))
            n_ids = sum(len(row.ids) for row in file.values())
            print(f"| {store.name} | {k} | {len(file):,} | {n_ids:,} | {n_differ:,} | {apart:.1e} |", flush=True)


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, help="default: a synthetic version")
    parser.add_argument("--users", type=int, default=1_000)
    parser.add_argument("--k", type=int, nargs="+", default=[10, 50])
    parser.add_argument("--connections", type=int, default=32)
    args = parser.parse_args()
    with TemporaryDirectory() as folder:
        store = args.store or Path(folder) / "synthetic"
        if args.store is None:
            served_store.publish(store, _USERS, n_items=_ITEMS, factors=_FACTORS, neighbours=_NEIGHBOURS)
        run(store, args.users, args.k, args.connections)


if __name__ == "__main__":
    main()
