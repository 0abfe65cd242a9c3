"""How a filter changes the time of one query: exact search of the allowed items against over-fetching, by share.

    python benchmarks/filtered_search.py [--items 27000] [--factors 64] [-k 26]

Seeded normal vectors, random items allowed, 20 items excluded per query, one query at a time. `exact` gathers the
allowed vectors again for every query, `gathered` keeps them, `over-fetch` asks the index for more and drops. Each
figure is the median over --queries in random order; the ratio is throughput relative to the unfiltered index. The
share where over-fetching wins says how many floats are worth gathering (`selective.MAX_GATHERED`).
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from recsys.data.arrays import Floats
from recsys.data.matrix import Csr
from recsys.retrieval.flat_index import build_index
from recsys.retrieval.search import ItemSearch
from recsys.retrieval.selective import MAX_GATHERED, OverFetching, SubsetSearch

SHARES = (0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.9)
N_EXCLUDED = 20


def main() -> None:
    """Measure every share with one thread, as in a worker of the service; print a table."""
    args = _arguments()
    rng = np.random.default_rng(1)
    items, queries = (rng.normal(size=(n, args.factors)).astype(np.float32) for n in (args.items, args.queries))
    index, exclude = build_index(items), _excluded(rng, args.queries, args.items)
    print(f"{args.items:,} items, {args.factors} factors, k {args.k}: microseconds per query, throughput ratio\n")
    print("| share | allowed | unfiltered | gathered | exact | over-fetch |\n| --: | --: | --: | --: | --: | --: |")
    with threadpool_limits(1):
        for share in SHARES:
            allowed = rng.random(args.items) < share
            searches = (index.search, *_filtered(index, items, allowed))
            unfiltered, *others = _medians(searches, queries, exclude, args.k)
            cells = " | ".join(f"{micros:,.0f} ({unfiltered / micros:.2f})" for micros in others)
            print(f"| {share:.1%} | {allowed.sum():,} | {unfiltered:,.0f} | {cells} |", flush=True)


def _filtered(index: ItemSearch, items: Floats, allowed: NDArray[np.bool_]) -> tuple[Callable[..., object], ...]:
    positions = np.flatnonzero(allowed).astype(np.int32)

    def gather_and_search(vectors: Floats, k: int, *, exclude: Csr) -> object:
        return SubsetSearch(items[positions], positions, len(items)).search(vectors, k, exclude=exclude)

    over_fetching = OverFetching(index, items.__getitem__, allowed, rows_at_once=MAX_GATHERED // items.shape[1])
    return SubsetSearch(items[positions], positions, len(items)).search, gather_and_search, over_fetching.search


def _medians(searches: tuple[Callable[..., object], ...], queries: Floats, exclude: list[Csr], k: int) -> list[float]:
    """Median microseconds of each search, one query at a time, in turn, so that a busy moment affects all alike."""
    micros = np.zeros((len(queries), len(searches)))
    for query in range(len(queries)):
        for at, search in enumerate(searches):
            started = time.perf_counter()
            search(queries[query : query + 1], k, exclude=exclude[query])
            micros[query, at] = 1e6 * (time.perf_counter() - started)
    medians: list[float] = np.median(micros, axis=0).tolist()
    return medians


def _excluded(rng: np.random.Generator, n: int, n_items: int) -> list[Csr]:
    rows = (np.sort(rng.choice(n_items, N_EXCLUDED, replace=False)).astype(np.int32) for _ in range(n))
    return [
        Csr((np.ones(N_EXCLUDED, np.float32), row, np.array([0, N_EXCLUDED])), shape=(1, n_items)) for row in rows
    ]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=27_000)
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("-k", type=int, default=26)
    return parser.parse_args()


if __name__ == "__main__":
    main()
